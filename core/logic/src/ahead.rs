//! A look ahead: what the commands of a batch will be decided by is read for all of them at once, so that their waits for
//! memory overlap. Decided one after the other, each waits for its own.
//!
//! It decides nothing and changes nothing, and any bytes are good enough: who is wrong about what a command needs only
//! lets it wait.

use crate::command::{Kind, Place};
use crate::id::{AccountId, MarketId, RequestKey};
use crate::rules::Rules;
use crate::state::State;
use crate::wire::{HEADER, Slot};
use std::mem::offset_of;

impl<R: Rules> State<R> {
    /// Reads what the commands in these slots will need: their keys' places, their accounts, and of singles their markets.
    /// What comes back has no meaning, and has to be used ([`std::hint::black_box`]): else nothing would be read.
    pub fn look_ahead(&self, slots: &[Slot]) -> u64 {
        slots.iter().fold(0, |seen, slot| seen ^ self.look_at(slot))
    }

    fn look_at(&self, slot: &Slot) -> u64 {
        let header = slot.header();
        if header.key == RequestKey::NONE {
            return 0;
        }
        let mut seen = self.keys.look(self.key_hash(header.account, header.key));
        let account = AccountId::from_raw(header.account);
        if let Some(account) = self.ledger.accounts.get(account.index() as usize) {
            // Its first line, and its last.
            seen ^= account.balance as u64 ^ u64::from(account.discount);
        }
        if header.kind == Kind::Place as u8 {
            const AT: usize = HEADER + offset_of!(Place, market);
            let market: [u8; 8] = slot.0[AT..AT + 8].try_into().expect("eight bytes");
            let index = MarketId::from_raw(u64::from_le_bytes(market)).index();
            if let Some(market) = self.markets.get(index as usize) {
                seen ^= u64::from(market.generation)
                    ^ u64::from(market.head)
                    ^ u64::from(market.canary);
                seen ^= self.risk.look(index);
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::HouseRules;
    use zerocopy::FromBytes;

    #[test]
    fn any_bytes_are_good_enough() {
        let state = State::new(HouseRules);
        let mut dice = 1_u64;
        for kind in 0..=u8::MAX {
            let mut bytes = [0; size_of::<Slot>()];
            for byte in &mut bytes {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (dice >> 56) as u8;
            }
            bytes[0] = kind;
            let slot = Slot::read_from_bytes(&bytes).expect("as long as a slot");
            state.look_ahead(&[slot, slot]);
        }
    }
}
