//! A mail server of the tests' own: speaks what a client needs (EHLO, MAIL, RCPT, DATA), keeps what it got, and goes wrong on order.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a conversation with the server goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This code to the greeting of a letter (`MAIL FROM`).
    AtMail(u16),
    /// This code to its recipient.
    AtRecipient(u16),
    /// This code to the finished letter; it is not kept.
    AtDot(u16),
    /// The letter is kept, and the connection closed before the answer.
    KeptAndLost,
    /// The connection closes before the answer; nothing is kept.
    Lost,
}

/// A letter that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// Its headers and text, lines ended by `\n`.
    pub text: String,
}

impl Letter {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\n\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct State {
    letters: Vec<Letter>,
    trouble: VecDeque<Trouble>,
    always: Option<Trouble>,
}

/// The running server; it ends when dropped.
#[derive(Debug)]
pub struct Smtp {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: CancellationToken,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Smtp {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for a mail server")?;
        let address = listener.local_addr()?;
        let (state, stop, tasks) =
            (Arc::new(Mutex::new(State::default())), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve(listener, Arc::clone(&state), stop.clone(), tasks.clone()));
        Ok(Self { address, state, stop })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next letter goes wrong so; several are taken in their order.
    pub fn fail(&self, trouble: Trouble) {
        locked(&self.state).trouble.push_back(trouble);
    }

    /// Every letter goes wrong so, until `None`.
    pub fn always(&self, trouble: Option<Trouble>) {
        locked(&self.state).always = trouble;
    }

    /// What was kept, in its order.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        locked(&self.state).letters.clone()
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let (state, stop) = (Arc::clone(&state), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = talk(socket, &state) => {}
            }
        });
    }
}

async fn talk(socket: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(socket);
    stream.write_all(b"220 tests ESMTP\r\n").await?;
    let (mut from, mut to, mut trouble) = (String::new(), Vec::new(), None);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let upper = line.trim_end().to_ascii_uppercase();
        let address = |line: &str| line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let answer = if upper.starts_with("EHLO") || upper.starts_with("HELO") {
            "250-tests\r\n250 8BITMIME".to_owned()
        } else if upper.starts_with("MAIL FROM") {
            {
                let mut state = locked(state);
                trouble = state.trouble.pop_front().or(state.always);
            }
            (from, to) = (address(&line), Vec::new());
            match trouble {
                Some(Trouble::AtMail(code)) => format!("{code} as told"),
                _ => "250 ok".to_owned(),
            }
        } else if upper.starts_with("RCPT TO") {
            match trouble {
                Some(Trouble::AtRecipient(code)) => format!("{code} as told"),
                _ => {
                    to.push(address(&line));
                    "250 ok".to_owned()
                }
            }
        } else if upper == "DATA" {
            stream.write_all(b"354 go ahead\r\n").await?;
            let text = letter(&mut stream).await?;
            let kept = Letter { from: from.clone(), to: to.clone(), text };
            match trouble {
                Some(Trouble::AtDot(code)) => format!("{code} as told"),
                Some(Trouble::Lost) => return Ok(()),
                Some(Trouble::KeptAndLost) => {
                    locked(state).letters.push(kept);
                    return Ok(());
                }
                _ => {
                    locked(state).letters.push(kept);
                    "250 kept".to_owned()
                }
            }
        } else if upper == "QUIT" {
            stream.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "250 ok".to_owned()
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// Everything up to the line with a dot alone, with doubled dots undone.
async fn letter(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut text, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let bare = line.trim_end_matches(['\r', '\n']);
        if bare == "." {
            return Ok(text);
        }
        text.push_str(bare.strip_prefix('.').filter(|_| bare.starts_with("..")).unwrap_or(bare));
        text.push('\n');
    }
}
