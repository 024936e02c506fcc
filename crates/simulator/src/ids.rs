//! Message ids in the providers' forms. Unique within a process by construction, and between processes because each starts
//! from a random point: an engine that outlives a simulator must not see an id twice.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use types::Dice;

/// Makes message ids.
#[derive(Debug)]
pub struct Ids {
    start: u64,
    next: AtomicU64,
}

/// Who wrote a message: Meta's ids differ in two bytes and the prefix of the hexadecimal part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A customer.
    Customer,
    /// The business.
    Business,
}

impl Default for Ids {
    fn default() -> Self {
        Self { start: Dice::from_system().throw(), next: AtomicU64::new(0) }
    }
}

impl Ids {
    fn unique(&self) -> u64 {
        // Each step is a bijection of 64 bits (splitmix64's finish), so different counters give different ids.
        let mut z =
            self.start.wrapping_add(self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `wamid.…`: base64 of the customer's number and a hexadecimal part, as Meta's are.
    #[must_use]
    pub fn wamid(&self, customer: &str, side: Side) -> String {
        let mut bytes = [0_u8; 80];
        let mut len = 0;
        let mut put = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        // Ids of users without a number are longer than the field was made for: their first bytes do.
        let customer = &customer.as_bytes()[..customer.len().min(20)];
        put(&[0x1c, 0x18, u8::try_from(customer.len()).unwrap_or(20)]);
        put(customer);
        let unique = hex_upper(self.unique());
        match side {
            Side::Customer => {
                put(&[0x15, 0x02, 0x00, 0x12, 0x18, 0x14]);
                put(b"3ABA");
            }
            Side::Business => {
                put(&[0x15, 0x02, 0x00, 0x11, 0x18, 0x12]);
                put(b"BA");
            }
        }
        put(&unique);
        put(&[0]);
        let mut id = String::with_capacity(6 + len.div_ceil(3) * 4);
        id.push_str("wamid.");
        STANDARD.encode_string(&bytes[..len], &mut id);
        id
    }

    /// 32 upper-case hexadecimal digits, as Green API's `idMessage`.
    #[must_use]
    pub fn id_message(&self) -> String {
        let mut id = String::with_capacity(32);
        id.push_str("3EB0BA5100000000");
        id.extend(hex_upper(self.unique()).map(char::from));
        id
    }
}

fn hex_upper(n: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = [0; 16];
    for (at, byte) in n.to_be_bytes().into_iter().enumerate() {
        out[at * 2] = DIGITS[usize::from(byte >> 4)];
        out[at * 2 + 1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique() {
        let ids = Ids::default();
        let made: HashSet<String> = (0..20_000)
            .map(|n| if n % 2 == 0 { ids.wamid("971500000101", Side::Business) } else { ids.id_message() })
            .collect();
        assert_eq!(made.len(), 20_000);
    }

    #[test]
    fn a_wamid_carries_the_number_as_metas_do() {
        let id = Ids::default().wamid("971500000101", Side::Customer);
        let bytes = STANDARD.decode(id.strip_prefix("wamid.").unwrap()).unwrap();
        assert_eq!(&bytes[..15], b"\x1c\x18\x0c971500000101");
        assert!(id.starts_with("wamid.HBgMOTcxNTAwMDAwMTAxFQIAEhgU"), "{id}");
    }

    #[test]
    fn long_or_empty_customer_ids_do_not_break_it() {
        let ids = Ids::default();
        for customer in ["", "AE.90211387745510062331902113877455100623319021138774551006233190211387745510062331"] {
            assert!(ids.wamid(customer, Side::Business).starts_with("wamid."));
        }
    }
}
