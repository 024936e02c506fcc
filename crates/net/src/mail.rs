//! SMTP, command by command: only so can a failure before the letter is on its way (certainly not sent) be told from one after its last line
//! (nobody knows, S4.4).

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use types::{Fault, Refusal, Secret};

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Not at all: for a server on the same machine.
    None,
    /// Plain first, then `STARTTLS`; a server that does not offer it is refused.
    StartTls,
    /// From the first byte.
    Tls,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub tls: MailTls,
    /// Who we are to it, and the proof.
    pub login: Option<(String, Secret)>,
    /// From whom mail comes: `Barid <barid@example.com>`.
    pub from: String,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Vec<String>,
    /// About what, in one line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// `<…@…>`; the same for every attempt.
    pub message_id: String,
    /// The Message-ID of the mail that it belongs to.
    pub answers: Option<String>,
}

/// The server, or an address, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MailError(String);

/// Sends mail; cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    server: MailServer,
    from: Mailbox,
    tls: Option<TlsParameters>,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Mailer {
    /// # Errors
    /// When the sender is no address or TLS cannot be set up.
    pub fn new(server: MailServer) -> Result<Self, MailError> {
        let from =
            server.from.parse().map_err(|e| MailError(format!("the sender {:?} is no address: {e}", server.from)))?;
        let tls = match server.tls {
            MailTls::None => None,
            MailTls::StartTls | MailTls::Tls => {
                let parameters = TlsParameters::builder(server.host.clone()).build_rustls();
                Some(parameters.map_err(|e| MailError(format!("TLS for mail cannot be set up: {e}")))?)
            }
        };
        Ok(Self { server, from, tls })
    }

    /// The sender's domain, for Message-IDs.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Sends one mail within `timeout`.
    ///
    /// # Errors
    /// [`Refusal`]: transient and permanent when it is certain that nothing was sent; ambiguous when the letter had been handed over and
    /// no answer came.
    pub async fn send(&self, mail: &Mail, timeout: Duration) -> Result<(), Refusal> {
        let (recipients, letter) = self.write(mail)?;
        let mut stage = Stage::Before;
        match tokio::time::timeout(timeout, self.talk(&recipients, &letter, &mut stage)).await {
            Ok(result) => result,
            Err(_) if stage == Stage::HandedOver => {
                Err(Refusal::new(Fault::Ambiguous, "the mail server gave no answer in time"))
            }
            Err(_) => Err(Refusal::new(Fault::Transient, "the mail server was too slow; nothing was sent")),
        }
    }

    fn write(&self, mail: &Mail) -> Result<(Vec<Address>, Vec<u8>), Refusal> {
        let wrong = |what: String| Refusal::new(Fault::Permanent, what);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(&mail.subject)
            .message_id(Some(mail.message_id.clone()))
            .header(ContentType::TEXT_PLAIN);
        if let Some(id) = &mail.answers {
            builder = builder.in_reply_to(id.clone()).references(id.clone());
        }
        let mut recipients = Vec::with_capacity(mail.to.len());
        for to in &mail.to {
            let mailbox: Mailbox = to.parse().map_err(|e| wrong(format!("{to:?} is no mail address: {e}")))?;
            recipients.push(mailbox.email.clone());
            builder = builder.to(mailbox);
        }
        let letter = builder.body(mail.body.clone()).map_err(|e| wrong(format!("the mail cannot be written: {e}")))?;
        Ok((recipients, letter.formatted()))
    }

    async fn talk(&self, recipients: &[Address], letter: &[u8], stage: &mut Stage) -> Result<(), Refusal> {
        let name = ClientId::Domain(self.domain().to_owned());
        let wrapped = self.tls.clone().filter(|_| self.server.tls == MailTls::Tls);
        let server = (self.server.host.as_str(), self.server.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, None, &name, wrapped, None).await.map_err(|e| said(&e))?;
        if let (MailTls::StartTls, Some(tls)) = (self.server.tls, &self.tls) {
            connection.starttls(tls.clone(), &name).await.map_err(|e| said(&e))?;
        }
        if let Some((user, password)) = &self.server.login {
            let proof = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &proof).await.map_err(|e| {
                let why = format!("the mail server refuses our sign-in: {e}; mend smtp.user or smtp.password");
                Refusal::new(if e.is_permanent() { Fault::Configuration } else { Fault::Transient }, why)
            })?;
        }
        let from = MailFrom::new(Some(self.from.email.clone()), Vec::new());
        connection.command(from).await.map_err(|e| said(&e))?;
        for to in recipients {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(|e| said(&e))?;
        }
        connection.command(Data).await.map_err(|e| said(&e))?;
        *stage = Stage::HandedOver;
        connection.message(letter).await.map_err(|e| {
            if e.status().is_some() {
                return said(&e);
            }
            Refusal::new(Fault::Ambiguous, format!("the mail server gave no answer to the letter: {e}"))
        })?;
        // It has the letter: how the farewell goes is nobody's business.
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.quit()).await;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    HandedOver,
}

/// What the server, or the way to it, said before the letter was handed over, or as its verdict on it.
fn said(error: &lettre::transport::smtp::Error) -> Refusal {
    let fault = if error.is_permanent() { Fault::Permanent } else { Fault::Transient };
    Refusal::new(fault, format!("mail server: {error}"))
}
