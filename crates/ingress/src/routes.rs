//! Which number belongs to whom, and by what its callers prove themselves.

use std::collections::HashMap;

use channels::meta::AppSecret;
use store::Door;
use types::Secret;
use types::inbound::Route;

/// A Meta number.
#[derive(Debug)]
pub struct MetaDoor {
    /// Its rows.
    pub door: Door,
    /// `metadata.phone_number_id`.
    pub phone_number_id: String,
    /// Answers the handshake.
    pub verify_token: Secret,
    /// One, or several while one is being rotated.
    pub app_secrets: Vec<Secret>,
    /// Answer in groups too.
    pub answer_groups: bool,
}

/// A Green API instance.
#[derive(Debug)]
pub struct GreenDoor {
    /// Its rows.
    pub door: Door,
    /// `instanceData.idInstance`.
    pub instance: String,
    /// Comes in `Authorization`.
    pub webhook_token: Secret,
    /// Answer in groups too.
    pub answer_groups: bool,
}

#[derive(Debug)]
struct MetaNumber {
    door: Door,
    /// Which of [`Routes::secrets`] may sign for it.
    secrets: Vec<usize>,
    answer_groups: bool,
}

/// All numbers.
#[derive(Debug, Default)]
pub struct Routes {
    meta: HashMap<String, MetaNumber>,
    green: HashMap<String, GreenDoor>,
    secrets: Vec<AppSecret>,
    verify_tokens: Vec<Secret>,
}

impl Routes {
    /// Routes to these numbers.
    #[must_use]
    pub fn new(meta: Vec<MetaDoor>, green: Vec<GreenDoor>) -> Self {
        let mut routes = Self::default();
        let mut known: Vec<Secret> = Vec::new();
        for number in meta {
            let mut places = Vec::new();
            for secret in number.app_secrets {
                let at = known.iter().position(|k| k.matches(secret.expose().as_bytes())).unwrap_or_else(|| {
                    routes.secrets.push(AppSecret::new(&secret));
                    known.push(secret.clone());
                    known.len() - 1
                });
                places.push(at);
            }
            routes.verify_tokens.push(number.verify_token);
            let entry = MetaNumber { door: number.door, secrets: places, answer_groups: number.answer_groups };
            routes.meta.insert(number.phone_number_id, entry);
        }
        routes.green = green.into_iter().map(|g| (g.instance.clone(), g)).collect();
        routes
    }

    /// The tokens that a handshake may show.
    pub(crate) fn verify_tokens(&self) -> &[Secret] {
        &self.verify_tokens
    }

    /// Which of our app secrets signed this body.
    pub(crate) fn signer(&self, header: &[u8], body: &[u8]) -> Option<usize> {
        self.secrets.iter().position(|s| s.verify(header, body))
    }

    /// The number that a Meta element came to, if `signer` may sign for it. Tenant A's secret opens no door of tenant B (S7.1).
    pub(crate) fn meta(&self, route: &Route, signer: usize) -> Option<(&Door, bool)> {
        match route {
            Route::PhoneNumberId(id) => {
                let number = self.meta.get(id)?;
                number.secrets.contains(&signer).then_some((&number.door, number.answer_groups))
            }
            // Fields of a whole account are recorded under the first number that the signer speaks for.
            Route::Account(_) | Route::Nowhere => {
                let mut numbers = self.meta.values().filter(|n| n.secrets.contains(&signer));
                let first = numbers.next()?;
                numbers.next().is_none().then_some((&first.door, first.answer_groups))
            }
            Route::Instance(_) => None,
        }
    }

    /// Whether a Meta number is configured under another secret: a mismatch, not an unknown number.
    pub(crate) fn is_someone_elses(&self, route: &Route, signer: usize) -> bool {
        matches!(route, Route::PhoneNumberId(id) if self.meta.get(id).is_some_and(|n| !n.secrets.contains(&signer)))
    }

    /// The Green API instance.
    pub(crate) fn green(&self, route: &Route) -> Option<&GreenDoor> {
        match route {
            Route::Instance(id) => self.green.get(id),
            _ => None,
        }
    }

    /// Every Green API instance, to check a caller whose body names none.
    pub(crate) fn green_doors(&self) -> impl Iterator<Item = &GreenDoor> {
        self.green.values()
    }
}
