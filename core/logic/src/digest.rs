//! Digests: of what a request asks, of the whole state, of its money, and a running one of all events.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// 128 bits that are equal when what they were made of is equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Collects what a digest is made of, every part with a known width.
pub(crate) struct Digester(SipHasher24);

impl Digester {
    // The key only keeps these digests apart from other uses of the function.
    pub(crate) fn new(part: &str) -> Digester {
        let mut hasher = SipHasher24::new_with_keys(0x6265_7472_696e_6700, 1);
        hasher.write(part.as_bytes());
        Digester(hasher)
    }

    pub(crate) fn put(&mut self, number: impl Into<i128>) -> &mut Digester {
        self.0.write(&number.into().to_le_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Digester {
        self.put(bytes.len() as u64);
        self.0.write(bytes);
        self
    }

    pub(crate) fn finish(&self) -> Digest {
        let hash = self.0.finish128();
        Digest(u128::from(hash.h1) << 64 | u128::from(hash.h2))
    }
}

/// A running hash over the bytes of all events: a few cycles a word, so that it can stay in the loop.
///
/// It finds divergence between machines, not tampering.
#[derive(Clone, Copy, Default)]
pub(crate) struct Running {
    pub(crate) hash: u64,
    pub(crate) events: u64,
}

impl Running {
    pub(crate) fn add(&mut self, bytes: &[u8], events: u32) {
        let mut hash = self.hash;
        let mut pairs = bytes.chunks_exact(16);
        for pair in &mut pairs {
            let (one, other) = pair.split_at(8);
            hash = mix(hash, word(one), word(other));
        }
        if !pairs.remainder().is_empty() {
            hash = mix(hash, word(pairs.remainder()), 0);
        }
        self.hash = hash;
        self.events += u64::from(events);
    }
}

/// Eight bytes: events are whole words.
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// One folded multiplication for two words. The constants are the fractions of √2 and √3: any two
/// with mixed bits serve; that both factors change with the data keeps zeros from wiping the hash.
fn mix(hash: u64, one: u64, other: u64) -> u64 {
    let product = u128::from(hash ^ one ^ 0x6a09_e667_f3bc_c908)
        * u128::from(hash.rotate_left(32) ^ other ^ 0xbb67_ae85_84ca_a73b);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_or_order_changes_the_running_hash() {
        let of = |bytes: &[u8]| {
            let mut running = Running::default();
            running.add(bytes, 1);
            running.hash
        };
        let bytes: Vec<u8> = (0..72).collect();
        let hash = of(&bytes);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of(&other), hash, "byte {at}");
        }
        let mut swapped = bytes.clone();
        swapped.rotate_left(8);
        assert_ne!(of(&swapped), hash);
        assert_ne!(of(&bytes[..64]), hash);
    }
}
