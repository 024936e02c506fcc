//! Passwords: argon2id with 19 MiB, two passes (OWASP), a bounded number at a time, in equal time for users who are not there.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use types::Secret;
use types::clock::random_token;
use types::text::hex;

use super::failure::Failure;

/// KiB.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const LENGTH: usize = 32;
/// Hashes at a time: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// Sign-ins that wait for their turn; more are sent away.
const WAITING: usize = 32;

/// The shortest password that is taken.
pub const SHORTEST: usize = 10;
/// And the longest.
pub const LONGEST: usize = 200;

fn digest(password: &str, salt: &str, memory: u32, passes: u32, lanes: u32) -> Result<String, argon2::Error> {
    #[cfg(test)]
    tests::WORK.with(|work| work.borrow_mut().push((memory, passes, lanes)));
    let params = Params::new(memory, passes, lanes, Some(LENGTH))?;
    let mut out = [0_u8; LENGTH];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt.as_bytes(), &mut out)?;
    Ok(hex(&out))
}

/// The hash of a password, as rows keep it: `argon2id$19456$2$1$salt$hash`. Takes some 30 ms of a core.
///
/// # Errors
/// When there is no memory for it.
pub fn hash(password: &Secret) -> Result<String, argon2::Error> {
    let salt = random_token();
    let digest = digest(password.expose(), &salt, MEMORY, PASSES, LANES)?;
    Ok(format!("argon2id${MEMORY}${PASSES}${LANES}${salt}${digest}"))
}

/// Whether `password` is the one that was hashed.
fn verify(password: &str, kept: &str) -> bool {
    let parts: Vec<&str> = kept.split('$').collect();
    let ["argon2id", memory, passes, lanes, salt, want] = parts.as_slice() else { return false };
    let (Ok(memory), Ok(passes), Ok(lanes)) = (memory.parse(), passes.parse(), lanes.parse()) else { return false };
    digest(password, salt, memory, passes, lanes).is_ok_and(|got| Secret::new(got).matches(want.as_bytes()))
}

/// Whether `password` is the one that was hashed; for who is not there, no, after the same work.
fn answer(password: &Secret, kept: Option<&str>) -> bool {
    match kept.filter(|k| !k.is_empty()) {
        Some(kept) => verify(password.expose(), kept),
        None => {
            let _ = hash(password);
            false
        }
    }
}

/// The one place where passwords are hashed in a server.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Hasher {
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let busy = || {
            let detail = "many sign-ins are being checked: try again in a moment";
            Failure(types::problem::Problem::new("busy", 503, "Too much at once", detail))
        };
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let _turn = self.turns.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|e| Failure::internal(&e))
    }

    /// Whether `password` is the one that was hashed; without a hash the same work is done, and the answer is no.
    pub(crate) async fn matches(&self, password: Secret, kept: Option<String>) -> Result<bool, Failure> {
        self.run(move || answer(&password, kept.as_deref())).await
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, Failure> {
        check(&password)?;
        self.run(move || hash(&password)).await?.map_err(|e| Failure::internal(&e))
    }
}

/// Whether a password may be taken.
pub(crate) fn check(password: &Secret) -> Result<(), Failure> {
    let length = password.expose().chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(Failure::bad(format!("a password has {SHORTEST} to {LONGEST} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    thread_local! {
        /// The hashes that this thread made.
        pub(super) static WORK: std::cell::RefCell<Vec<(u32, u32, u32)>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    /// RELIABILITY 4.20: how long an answer takes does not say who is there.
    #[test]
    fn who_is_not_there_costs_the_same_work() {
        let (password, kept) = (Secret::new("correct horse"), hash(&Secret::new("another horse")).unwrap());
        let work = |kept: Option<&str>| {
            WORK.take();
            assert!(!answer(&password, kept));
            WORK.take()
        };
        assert_eq!(work(Some(&kept)), [(MEMORY, PASSES, LANES)]);
        assert_eq!(work(None), work(Some(&kept)));
        assert_eq!(work(Some("")), work(Some(&kept)), "who has set no password yet");
    }

    /// RELIABILITY 4.19: passwords that are tried by the thousand take two cores and 40 MB, and no more.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn only_so_many_hashes_are_made_or_waited_for_at_a_time() {
        let hasher = Hasher::default();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (gate, counts) = (Arc::new(Mutex::new(gate)), Arc::new(Mutex::new((0, 0))));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..WAITING + 5 {
            let (hasher, gate, counts) = (hasher.clone(), Arc::clone(&gate), Arc::clone(&counts));
            all.spawn(async move {
                let work = move || {
                    let mut now = counts.lock().unwrap();
                    *now = (now.0 + 1, now.1.max(now.0 + 1));
                    drop(now);
                    let _ = gate.lock().unwrap().recv();
                    counts.lock().unwrap().0 -= 1;
                };
                hasher.run(work).await.is_ok()
            });
        }
        for _ in 0..5 {
            assert!(!all.join_next().await.unwrap().unwrap(), "those beyond the queue are sent away at once");
        }
        drop(open);
        assert!(all.join_all().await.into_iter().all(|done| done), "the others get their turn");
        assert!(counts.lock().unwrap().1 <= AT_ONCE);
    }

    #[test]
    fn a_password_matches_only_itself_and_no_two_hashes_are_alike() {
        let password = Secret::new("correct horse");
        let (one, two) = (hash(&password).unwrap(), hash(&password).unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("argon2id$19456$2$1$"));
        assert!(verify("correct horse", &one) && verify("correct horse", &two));
        assert!(!verify("correct hors", &one) && !verify("", &one) && !verify("correct horse", ""));
    }
}
