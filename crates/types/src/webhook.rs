//! The secrets of outgoing webhooks. None is kept anywhere (S7.2): each is made anew from the installation's key, the endpoint's id and how
//! often its secret was exchanged, so that a copy of the database signs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::{EndpointId, Secret};

/// The secret of an endpoint, as Standard Webhooks writes it (`whsec_…`).
#[must_use]
pub fn secret(key: &Secret, endpoint: EndpointId, generation: u32) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let made = hmac::sign(&key, format!("webhook endpoint {endpoint}, secret {generation}").as_bytes());
    Secret::new(format!("whsec_{}", STANDARD.encode(made)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_and_each_exchange_has_its_own_secret() {
        let (key, other) = (Secret::new("a"), Secret::new("b"));
        let made = |key: &Secret, id: i64, n: u32| secret(key, EndpointId(id), n).expose().to_owned();
        let all = [made(&key, 1, 1), made(&key, 1, 2), made(&key, 2, 1), made(&other, 1, 1), made(&key, 11, 1)];
        for (n, one) in all.iter().enumerate() {
            assert!(one.starts_with("whsec_") && one.len() == 50, "{one}");
            assert!(!all[..n].contains(one), "{one} came twice");
        }
        assert_eq!(all[0], made(&key, 1, 1), "and always the same");
    }
}
