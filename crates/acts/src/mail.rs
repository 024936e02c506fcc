//! Mail: what is written, and what a server's word means.

use net::Mail;
use types::{Fault, Refusal};

use crate::settings::Office;
use crate::template::line;
use crate::{Came, Deed};

/// The mail. Its Message-ID is the same for every attempt, so that a mailbox which got it twice shows it once.
pub(crate) fn plan(to: &[String], office: &Office, deed: &Deed<'_>, domain: &str) -> Mail {
    let title = line(deed.title);
    let (subject, mut body) = if deed.undo {
        let body = "This could not be completed, and what was done of it has been undone. Please disregard the earlier mail.\n";
        (format!("[{}] Cancelled: {title}", line(&office.business)), body.to_owned())
    } else {
        (format!("[{}] {title}", line(&office.business)), format!("{title}\n\n{}\n", deed.description))
    };
    if deed.doubtful {
        body.push_str("\n(This mail may have been sent to you before.)\n");
    }
    let answers = deed.undo.then(|| format!("<{}@{domain}>", deed.done_key));
    Mail { to: to.to_vec(), subject, body, message_id: format!("<{}@{domain}>", deed.key), answers }
}

/// What a refusal means.
pub(crate) fn read(refusal: Refusal) -> Came {
    match refusal.fault {
        Fault::Permanent | Fault::Bug => Came::Refused(refusal.reason),
        Fault::Ambiguous => Came::Doubt(refusal.reason),
        Fault::Transient | Fault::Throttled | Fault::Configuration => {
            Came::Retry { why: refusal.reason, after: refusal.retry_after }
        }
    }
}
