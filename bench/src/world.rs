//! The simulated Meta: four numbers of one app, since a number's configured speed has an upper bound below what is measured here.

use simulator::{MetaNumber, Simulator, SimulatorOptions, StatusPlan, WebhookTargets};
use types::Secret;

/// Signs every webhook.
pub(crate) const APP_SECRET: &str = "bench-app-secret-0123456789abcdef";
/// Sends carry it.
pub(crate) const ACCESS_TOKEN: &str = "bench-access-token-0123456789abcdef";

/// The numbers.
pub(crate) fn numbers() -> Vec<MetaNumber> {
    (1..=4)
        .map(|n| MetaNumber {
            phone_number_id: format!("10550000000000{n}"),
            waba_id: "102290129340398".to_owned(),
            display_phone: format!("97125550{n:03}"),
            access_token: Secret::new(ACCESS_TOKEN),
            app_secret: Secret::new(APP_SECRET),
        })
        .collect()
}

/// Starts it. With `statuses`, each accepted send is reported as sent, delivered and read.
pub(crate) async fn start(statuses: bool) -> anyhow::Result<Simulator> {
    let statuses = StatusPlan { send: statuses, ..StatusPlan::default() };
    let options = SimulatorOptions { meta: numbers(), statuses, keep_events: 16, ..SimulatorOptions::default() };
    Ok(Simulator::start(options).await?)
}

/// Sends its statuses to this address.
pub(crate) fn report_to(simulator: &Simulator, port: u16) -> anyhow::Result<()> {
    let meta_url = Some(format!("http://127.0.0.1:{port}{}", crate::load::PATH));
    simulator.set_webhooks(&WebhookTargets { meta_url, green_url: None })?;
    Ok(())
}
