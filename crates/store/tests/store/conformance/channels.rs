//! Tenants and channels as rows.

use store::channels::{States, Sync};
use types::inbound::{ChannelNews, Event};
use types::states::ChannelState;

use crate::fixtures::{PHONE, retry};
use crate::support::{Db, seeds};

for_each_database! {
    the_configuration_makes_its_rows_once,
    the_provider_stops_and_starts_its_channel,
    a_channel_may_move_to_another_tenant,
}

async fn the_configuration_makes_its_rows_once(db: &Db) {
    let mut again = seeds("first");
    again[0].business = "New name".into();
    let synced = db.store.write(Sync(again)).await.unwrap();
    assert_eq!((synced[0].tenant, &synced[0].channels), (db.meta.tenant, &vec![db.meta.channel, db.green.channel]));
    assert_eq!((db.count("tenants").await, db.count("channels").await), (1, 2));
    assert_eq!(db.one("SELECT business FROM tenants").await, "New name");
}

/// Green API's `stateInstanceChanged`: sends wait while the instance is not authorised.
async fn the_provider_stops_and_starts_its_channel(db: &Db) {
    let (lease, deliver) = db.sending_green("g1", PHONE, "hi").await;
    db.record(&lease, &deliver, retry(types::Fault::Transient)).await;
    let news = |usable, word: &str| Event::Channel(ChannelNews { usable: Some(usable), word: word.into() });
    let told = db.accept(&db.green, vec![news(false, "notAuthorized")], 0).await;
    assert!(!told.waiting);
    let row = db.store.read(States).await.unwrap().remove(1);
    assert_eq!((row.state, row.tenant.as_str()), (ChannelState::Paused, "alain"));
    assert!(row.reason.is_some_and(|r| r.contains("notAuthorized")));
    db.pass(60);
    db.idle().await;
    let told = db.accept(&db.green, vec![news(true, "authorized")], 0).await;
    assert!(told.waiting, "its messages are due again");
    assert_eq!(db.claim_send().await.1.message, deliver.message);
    assert_eq!(db.count("notification WHERE kind = 'channel_paused'").await, 1);
}

async fn a_channel_may_move_to_another_tenant(db: &Db) {
    let mut moved = seeds("first");
    moved[0].slug = "dubai".into();
    let synced = db.store.write(Sync(moved)).await.unwrap();
    assert_ne!(synced[0].tenant, db.meta.tenant);
    assert_eq!(synced[0].channels[0], db.meta.channel, "with all its conversations");
}
