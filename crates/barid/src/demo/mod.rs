//! The demo: the engine, a simulated Meta and a simulated Green API in one process, with a sample business. Its webhooks are really signed and
//! really travel over HTTP; only the world outside this machine is missing.
//!
//! - [`folder`]: what lies on disk: secrets, database, where it runs
//! - [`sample`]: the sample business as a configuration
//! - [`seed`], [`script`]: six leads over six days, so that every page shows something
//! - [`world`]: the simulated providers as the page speaks with them

pub mod folder;
pub mod sample;
pub mod script;
pub mod seed;
pub mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admin::api::Desk;
use anyhow::{Context, bail};
use simulator::llm::Act;
use simulator::{GreenInstance, MetaNumber, Simulator, SimulatorOptions, StatusPlan, WebhookTargets};
use store::Store;
use store::accounts::links::Purpose;
use store::accounts::users::{Add, PasswordOf};
use store::desk::agents::{Flags, SetFlag};
use store::desk::tenants::Tenants;
use store::desk::{Access, By, Role};
use tokio::net::TcpListener;
use types::clock::ShiftedClock;
use types::{Dice, Secret, SharedClock};

use crate::wire::{App, Start};
use world::DemoWorld;

/// Who uses the demo.
const PERSON: &str = "demo@barid.localhost";

pub use folder::{Folder, Running};
pub use sample::Secrets;

/// Where the demo keeps its data when nothing else is said.
pub const FOLDER: &str = ".barid-demo";
/// Where it listens when nothing else is said and nobody else does.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// How to start it.
#[derive(Clone)]
pub struct Options {
    /// Where the engine listens; `None`: [`LISTEN`], or a free port when that is taken.
    pub listen: Option<SocketAddr>,
    /// Where its data is.
    pub data: PathBuf,
    /// Forget what was there.
    pub reset: bool,
    /// Begin with sample leads, where the folder is new.
    pub sample: bool,
    /// The database; `None`: a file in its folder.
    pub store: Option<String>,
    /// More of the engine's start: metrics, routes.
    pub start: Start,
}

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    app: App,
    simulator: Arc<Simulator>,
    folder: Folder,
    token: String,
}

/// Starts it; returns when it can be talked to.
///
/// # Errors
/// When the address is not of this machine or is taken, or the folder cannot be used; each says what to mend.
pub async fn start(mut options: Options, clock: SharedClock) -> anyhow::Result<Demo> {
    let listener = listen(options.listen).await?;
    let address = listener.local_addr().context("the address is not known")?;
    let folder = Folder::at(options.data);
    folder.refuse_second()?;
    if options.reset {
        folder.reset()?;
    }
    let secrets = folder.secrets()?;
    // Engine and providers live by one clock, which the page can move.
    let ahead = Arc::new(ShiftedClock::over(clock));
    let clock: SharedClock = Arc::clone(&ahead) as SharedClock;
    let simulator = Arc::new(Simulator::start(providers(&secrets, Arc::clone(&clock))).await?);
    options.start.simulator = Some(Arc::new(DemoWorld::new(Arc::clone(&simulator), ahead)));
    let store = options.store.as_deref().unwrap_or(folder::STORE);
    // The page moves the demo's clock, and a server's database would live by its own.
    options.start.own_clock = true;
    let text = sample::configuration(address, &simulator.base_url(), store);
    let config = folder.load(&text)?;
    if options.sample {
        seed::seed(&config, clock.now()).await?;
    }
    let app = App::start_on(listener, &config, clock, options.start).await?;
    simulator.llm().always(sample::AGENT, Act::Slow(Duration::from_millis(400), Box::new(Act::Receive)));
    hold_back(app.store()).await?;
    let url = format!("http://{}", app.address());
    simulator.set_webhooks(&WebhookTargets {
        meta_url: Some(format!("{url}/api/webhooks/whatsapp")),
        green_url: Some(format!("{url}/webhook/greenapi")),
    })?;
    folder.note(
        &text,
        &Running {
            engine: url,
            simulator: simulator.base_url(),
            assistant: sample::ASSISTANT.to_owned(),
            business: sample::BUSINESS.to_owned(),
        },
    )?;
    let token = way_in(app.store()).await?;
    Ok(Demo { app, simulator, folder, token })
}

/// The experiment begins rolled out to nobody, so that who chats first meets the flow that they read of; one button rolls it out.
async fn hold_back(store: &Store) -> anyhow::Result<()> {
    for tenant in store.read(Tenants(Access::All)).await? {
        let name = format!("experiment:{}", sample::EXPERIMENT);
        if store.read(Flags(tenant.id)).await?.iter().any(|flag| flag.name == name) {
            continue;
        }
        let (by, reason) = (By::system("demo"), Some("roll it out, and chat".to_owned()));
        let set = SetFlag { tenant: tenant.id, name, on: true, percent: 0, reason, access: Access::All, by };
        store.write(set).await?;
    }
    Ok(())
}

/// The demo's own person, and a link that signs in as them once.
async fn way_in(store: &Store) -> anyhow::Result<String> {
    let user = match store.read(PasswordOf(PERSON.to_owned())).await? {
        Some((user, _)) => user,
        None => {
            let add = Add {
                email: PERSON.to_owned(),
                name: "Demo".to_owned(),
                role: Role::Admin,
                password: String::new(),
                all_tenants: true,
                tenants: Vec::new(),
                first: false,
                access: Access::All,
                by: By::system("demo"),
            };
            store.write(add).await?.id
        }
    };
    Ok(Desk::link(store, Purpose::SignIn, Some(user), Duration::from_secs(86_400)).await?)
}

async fn listen(asked: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    if let Some(address) = asked {
        if !address.ip().is_loopback() {
            bail!("{address} is not of this machine alone: the demo listens on loopback only (127.0.0.1:PORT)");
        }
        let taken = || format!("cannot listen on {address}: is another program using it? Another with --listen");
        return TcpListener::bind(address).await.with_context(taken);
    }
    if let Ok(listener) = TcpListener::bind(LISTEN).await {
        return Ok(listener);
    }
    // A newcomer's port 8080 is often taken, and the demo does not care which it has.
    TcpListener::bind(SocketAddr::new(LISTEN.ip(), 0)).await.context("no free port on 127.0.0.1")
}

/// The simulated providers: one number, one instance.
fn providers(secrets: &Secrets, clock: SharedClock) -> SimulatorOptions {
    let secret = |text: &str| Secret::new(text);
    SimulatorOptions {
        meta: vec![MetaNumber {
            phone_number_id: sample::NUMBER.to_owned(),
            waba_id: sample::ACCOUNT.to_owned(),
            display_phone: sample::PHONE.to_owned(),
            access_token: secret(&secrets.meta_access_token),
            app_secret: secret(&secrets.meta_app_secret),
        }],
        green: vec![GreenInstance {
            instance: sample::INSTANCE.to_owned(),
            api_token: secret(&secrets.green_api_token),
            webhook_token: secret(&secrets.green_webhook_token),
            wid: format!("{}@c.us", sample::PHONE),
        }],
        statuses: StatusPlan { delay: Duration::from_millis(60), ..StatusPlan::default() },
        seed: Dice::from_system().throw(),
        keep_accepted: 10_000,
        keep_events: 2_000,
        clock,
        ..SimulatorOptions::default()
    }
}

impl Demo {
    /// Where the engine listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.app.address())
    }

    /// Opens the page, signed in; once.
    #[must_use]
    pub fn start_link(&self) -> String {
        format!("{}/start?token={}", self.url(), self.token)
    }

    /// Where the simulated providers listen.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Its data.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Drains the engine, then ends the providers: what is being sent still finds them.
    pub async fn stop(self) {
        self.folder.forget();
        self.app.drain().await;
        self.simulator.stop().await;
    }
}
