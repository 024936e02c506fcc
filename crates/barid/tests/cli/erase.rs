//! `barid erase`: one person leaves the database, by the number as people write it, and only after a yes.

use crate::prepared::Prepared;
use crate::support::{run, run_with};

/// S6.8: it says what it removed; a number nobody has is said to be unknown; others stay.
#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_removed_and_it_is_said_what_went() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let before = run(folder, "conversations --json").good().json();
    let phone = before[0]["phone"].as_str().unwrap().to_owned();
    let refused = run(folder, &format!("erase {phone}"));
    assert_eq!((refused.code, refused.err.contains("--yes")), (2, true), "{refused:?}");
    let nobody = run(folder, "erase 15550001111 --yes");
    assert_eq!((nobody.code, nobody.err.contains("nobody is known by that")), (1, true), "{nobody:?}");
    // With a plus and spaces, as it stands on a card.
    let written = format!("+{} {}", &phone[..3], &phone[3..]);
    let done = run_with(folder, &["erase", &written, "--yes"], "").good();
    for word in ["messages", "contacts", "conversations"] {
        assert!(done.out.contains(word), "{word}: {done:?}");
    }
    assert!(done.err.contains("keep the fact"), "{done:?}");
    let after = run(folder, "conversations --json").good().json();
    assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() - 1);
    assert!(!run(folder, "export").good().out.contains(&phone));
    assert_eq!(run(folder, &format!("erase {phone} --yes")).code, 1, "they are unknown now");
}

/// For programs: one object for each, with what went.
#[tokio::test(flavor = "multi_thread")]
async fn programs_read_what_went() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let before = run(folder, "conversations --json").good().json();
    let phone = before[0]["phone"].as_str().unwrap();
    let done = run(folder, &format!("erase {phone} --yes --json")).good().json();
    assert!(done["removed"]["messages"].as_i64() > Some(0), "{done}");
    assert_eq!(done["phone"], phone);
    assert_eq!(run(folder, "erase").code, 2, "whom?");
    assert_eq!(run(folder, &format!("erase {phone} --contact 1")).code, 2, "one of the two");
}
