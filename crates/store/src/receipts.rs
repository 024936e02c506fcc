//! What providers report of our messages (S4.6): kept once by (id, status, participant), applied to the message when it is known and parked
//! when the report came before the answer to our own request; never moves a message back. A report settles an ambiguous send (S4.4).

use types::inbound::{Echo, OwnSend, StatusReport};
use types::outbound::Recipient;
use types::states::{MessageStatus, Receipt};
use types::{ChannelId, ConversationId, MessageId, ProviderMessageId, Timestamp};

use crate::contacts::Door;
use crate::error::Result;
use crate::leases;
use crate::sql::{Row, Tx};
use crate::work::parse_json;

sql! {
    KEEP = "receipts.keep":
        "INSERT INTO receipts (channel_id, provider_id, status, participant, message_id, error_code, error, provider_at, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (channel_id, provider_id, status, participant) DO NOTHING";
    PARKED = "receipts.parked":
        "SELECT status, error_code, error, provider_at, received_at FROM receipts
         WHERE channel_id = $1 AND provider_id = $2 AND message_id IS NULL";
    CLAIM_PARKED = "receipts.claim_parked":
        "UPDATE receipts SET message_id = $3 WHERE channel_id = $1 AND provider_id = $2 AND message_id IS NULL";
    BY_PROVIDER_ID = "messages.sent_by_provider_id":
        "SELECT id, status, conversation_id FROM message WHERE channel_id = $1 AND provider_id = $2 AND direction = 'out'";
    BY_KEY = "outbox.by_key":
        "SELECT m.id, m.status, m.conversation_id, m.provider_id FROM outbox o JOIN message m ON m.id = o.message_id
         WHERE o.dedupe_key = $1 AND o.channel_id = $2";
    FAILED_BEFORE = "receipts.failed_before":
        "SELECT 1 FROM receipts WHERE channel_id = $1 AND provider_id = $2 AND status = 'failed' LIMIT 1";
    IN_DOUBT = "outbox.in_doubt":
        "SELECT m.id, m.status, m.conversation_id, v.recipient
         FROM outbox o JOIN message m ON m.id = o.message_id JOIN conversation v ON v.id = o.conversation_id
         WHERE o.channel_id = $1 AND o.due_at IS NOT NULL AND m.status IN ('unknown', 'sending') AND m.provider_id IS NULL
           AND m.body = $2 ORDER BY m.id";
    APPLY = "messages.apply_receipt":
        "UPDATE message SET status = $2, provider_id = COALESCE(provider_id, $3), error_code = $4, error = $5,
                sent_at = CASE WHEN $7 >= 1 THEN COALESCE(sent_at, $6) ELSE sent_at END,
                delivered_at = CASE WHEN $7 >= 2 THEN COALESCE(delivered_at, $6) ELSE delivered_at END,
                read_at = CASE WHEN $7 >= 3 THEN COALESCE(read_at, $6) ELSE read_at END
         WHERE id = $1";
    STATUS = "messages.status": "SELECT status FROM message WHERE id = $1";
    SETTLE = "outbox.settle":
        "UPDATE outbox SET due_at = NULL WHERE message_id = $1 AND due_at IS NOT NULL";
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It was there before.
    Duplicate,
    /// It is kept.
    Kept,
    /// It is kept and settled a message whose fate was open: what waited behind that is due.
    Settled,
}

/// A message of ours that a report speaks of.
pub(crate) struct Ours {
    pub message: MessageId,
    pub status: MessageStatus,
    pub conversation: ConversationId,
}

fn ours(row: &dyn Row) -> Result<Ours> {
    Ok(Ours { message: row.get(0)?, status: row.get(1)?, conversation: row.get(2)? })
}

/// One thing reported.
struct Report<'a> {
    channel: ChannelId,
    receipt: Receipt,
    provider_id: &'a str,
    error_code: Option<i64>,
    error: Option<&'a str>,
    at: Timestamp,
}

/// Keeps and applies a status.
pub(crate) fn report(tx: &mut dyn Tx, door: &Door, report: &StatusReport) -> Result<Noted> {
    let now = tx.now();
    let (code, error) = report.error.as_ref().map_or((None, None), |e| (e.code, Some(e.title.as_str())));
    let word = match report.receipt {
        Some(receipt) => receipt.as_str(),
        None => &report.word,
    };
    let found = find(tx, door.channel, report)?;
    let message = found.as_ref().map(|f| f.message);
    let participant = report.participant.as_deref().unwrap_or("");
    let p = params![door.channel, &report.provider_id.0, word, participant, message, code, error, report.at, now];
    if tx.execute(&KEEP, p)? == 0 {
        return Ok(Noted::Duplicate);
    }
    if let (Some(found), Some(receipt)) = (found, report.receipt) {
        let (channel, at) = (door.channel, report.at.unwrap_or(now));
        let provider_id = &report.provider_id.0;
        return apply(tx, &found, &Report { channel, receipt, provider_id, error_code: code, error, at });
    }
    Ok(Noted::Kept)
}

fn find(tx: &mut dyn Tx, channel: ChannelId, report: &StatusReport) -> Result<Option<Ours>> {
    if let Some(found) = tx.first(&BY_PROVIDER_ID, params![channel, &report.provider_id.0], ours)? {
        return Ok(Some(found));
    }
    match &report.dedupe_key {
        Some(key) => {
            let found = tx.first(&BY_KEY, params![&key.0, channel], |r| Ok((ours(r)?, r.get::<Option<String>>(3)?)))?;
            // A message that was sent twice has two ids at the provider under one key. That the other copy failed says nothing of this one.
            Ok(found.filter(|(_, id)| id.is_none() || report.receipt != Some(Receipt::Failed)).map(|(ours, _)| ours))
        }
        None => Ok(None),
    }
}

fn apply(tx: &mut dyn Tx, ours: &Ours, report: &Report<'_>) -> Result<Noted> {
    let Some(status) = ours.status.receipt(report.receipt) else { return Ok(Noted::Kept) };
    // `sent` proves an arrival that we had given up on ourselves; after the provider's own `failed` it is only late (S4.6).
    if (ours.status, report.receipt) == (MessageStatus::Failed, Receipt::Sent)
        && tx.first(&FAILED_BEFORE, params![report.channel, report.provider_id], |_| Ok(()))?.is_some()
    {
        return Ok(Noted::Kept);
    }
    let reached = match report.receipt {
        Receipt::Sent => 1,
        Receipt::Delivered => 2,
        Receipt::Read | Receipt::Played => 3,
        Receipt::Failed => 0,
    };
    let p =
        params![ours.message, status.as_str(), report.provider_id, report.error_code, report.error, report.at, reached];
    tx.execute(&APPLY, p)?;
    if ours.status == MessageStatus::Unknown {
        metrics::counter!("send_ambiguous_total", "resolved_by" => "status").increment(1);
    }
    settle(tx, ours)
}

/// The message's fate is known: it leaves the outbox, and what waited behind it is due.
fn settle(tx: &mut dyn Tx, ours: &Ours) -> Result<Noted> {
    if tx.execute(&SETTLE, params![ours.message])? == 0 {
        return Ok(Noted::Kept);
    }
    let now = tx.now();
    leases::make_due(tx, ours.conversation, now)?;
    Ok(Noted::Settled)
}

/// Applies what was reported before the message's provider id was known; the status that results.
pub(crate) fn apply_parked(
    tx: &mut dyn Tx,
    channel: ChannelId,
    provider_id: &ProviderMessageId,
    message: MessageId,
    conversation: ConversationId,
    status: MessageStatus,
) -> Result<MessageStatus> {
    let parked = tx.all(&PARKED, params![channel, &provider_id.0], |r| {
        let word: String = r.get(0)?;
        let at = r.get::<Option<Timestamp>>(3)?.unwrap_or(r.get(4)?);
        Ok((Receipt::parse(&word), r.get::<Option<i64>>(1)?, r.get::<Option<String>>(2)?, at))
    })?;
    if parked.is_empty() {
        return Ok(status);
    }
    let mut ours = Ours { message, status, conversation };
    for (receipt, error_code, error, at) in parked {
        let Some(receipt) = receipt else { continue };
        let report = Report { channel, receipt, provider_id: &provider_id.0, error_code, error: error.as_deref(), at };
        apply(tx, &ours, &report)?;
        ours.status = tx.first(&STATUS, params![message], |r| r.get(0))?.unwrap_or(ours.status);
    }
    tx.execute(&CLAIM_PARKED, params![channel, &provider_id.0, message])?;
    Ok(ours.status)
}

/// Green API's proof that a message went through its API. It settles the oldest open message to that chat with that
/// very text whose fate is in doubt.
pub(crate) fn own_send(tx: &mut dyn Tx, door: &Door, own: &OwnSend) -> Result<Noted> {
    let mut found = tx.first(&BY_PROVIDER_ID, params![door.channel, &own.provider_id.0], ours)?;
    if found.is_none() {
        found = in_doubt(tx, door, &own.text, |to| same_chat(to, &own.chat))?;
    }
    prove(tx, door, &own.provider_id, own.at, found)
}

/// The oldest message with that very text, to whom `is_to` says, whose fate is in doubt.
fn in_doubt(tx: &mut dyn Tx, door: &Door, text: &str, is_to: impl Fn(&Recipient) -> bool) -> Result<Option<Ours>> {
    let doubtful = tx.all(&IN_DOUBT, params![door.channel, text], |r| {
        let recipient: String = r.get(3)?;
        Ok((ours(r)?, parse_json::<Recipient>(r, 3, &recipient)?))
    })?;
    Ok(doubtful.into_iter().find(|(_, to)| is_to(to)).map(|(ours, _)| ours))
}

/// Keeps the proof that a message of ours went out under `id`, and applies it to the message, if it is known.
fn prove(
    tx: &mut dyn Tx,
    door: &Door,
    id: &ProviderMessageId,
    at: Option<Timestamp>,
    found: Option<Ours>,
) -> Result<Noted> {
    let now = tx.now();
    let message = found.as_ref().map(|f| f.message);
    let (none, no_error): (Option<i64>, Option<&str>) = (None, None);
    let p = params![door.channel, &id.0, "sent", "", message, none, no_error, at, now];
    if tx.execute(&KEEP, p)? == 0 {
        return Ok(Noted::Duplicate);
    }
    let Some(found) = found else { return Ok(Noted::Kept) };
    let (channel, at) = (door.channel, at.unwrap_or(now));
    let receipt = Receipt::Sent;
    apply(tx, &found, &Report { channel, receipt, provider_id: &id.0, error_code: None, error: None, at })
}

/// Whether a chat id (`971…@c.us`) is the recipient's.
#[must_use]
pub fn same_chat(to: &Recipient, chat: &str) -> bool {
    match to {
        Recipient::Phone(phone) => types::text::phone_digits(chat).as_deref() == Some(phone),
        other => other.address() == chat,
    }
}

/// What an echo of our own message says (some numbers echo those); `None`: someone else wrote it. It is known by its id, or, when it overtook
/// the answer that gives us the id, by its text to that very person while that is under way.
pub(crate) fn own_echo(tx: &mut dyn Tx, door: &Door, echo: &Echo) -> Result<Option<Noted>> {
    if tx.first(&BY_PROVIDER_ID, params![door.channel, &echo.provider_id.0], |_| Ok(()))?.is_some() {
        return Ok(Some(Noted::Duplicate));
    }
    let text = echo.content.text();
    if text.is_empty() {
        return Ok(None);
    }
    let is_to = |to: &Recipient| match to {
        Recipient::Phone(phone) => echo.group.is_none() && echo.to.phone.as_ref() == Some(phone),
        Recipient::Bsuid(id) => echo.group.is_none() && echo.to.bsuid.as_ref() == Some(id),
        Recipient::Chat(id) => echo.group.is_none() && echo.to.other.as_ref() == Some(id),
        Recipient::Group(group) => echo.group.as_ref() == Some(group),
    };
    match in_doubt(tx, door, text, is_to)? {
        Some(found) => prove(tx, door, &echo.provider_id, echo.at, Some(found)).map(Some),
        None => Ok(None),
    }
}
