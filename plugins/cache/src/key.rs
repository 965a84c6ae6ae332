//! The key of an answer, written into one piece of memory that a thread keeps: look-up hashes one slice and allocates
//! nothing.

use contract::Scope;
use contract::wire::{Class, NAME_MAX, Name, RecordType};

/// The number of a server block. The same as long as what shapes the block's answers stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub u32);

/// Octets before the name: block, scope, type, class, bits.
const PREFIX: usize = 4 + 4 + 2 + 2 + 1;

/// A key under way, on the stack or kept by a thread.
#[derive(Clone, Debug)]
pub struct KeyBuffer {
    bytes: [u8; PREFIX + NAME_MAX],
    end: usize,
}

impl KeyBuffer {
    /// The key of the root, with everything else zero.
    pub fn new() -> Self {
        Self { bytes: [0; PREFIX + NAME_MAX], end: PREFIX + 1 }
    }

    /// Takes a name in wire form and any case: one that was parsed, so of at most 255 octets.
    pub fn set_name(&mut self, wire_name_any_case: &[u8]) {
        self.end = PREFIX + wire_name_any_case.len();
        let name = &mut self.bytes[PREFIX..self.end];
        name.copy_from_slice(wire_name_any_case);
        name.make_ascii_lowercase(); // the octets of lengths are at most 63, below every letter
    }

    /// The name in wire form, lower case.
    pub fn name(&self) -> &[u8] {
        &self.bytes[PREFIX..self.end]
    }

    /// Takes everything but the name.
    pub fn set(
        &mut self,
        block: BlockId,
        scope: Scope,
        rtype: RecordType,
        class: Class,
        dnssec_ok: bool,
        checking_disabled: bool,
    ) {
        self.bytes[..4].copy_from_slice(&block.0.to_be_bytes());
        self.bytes[4..8].copy_from_slice(&scope.number().to_be_bytes());
        self.bytes[8..10].copy_from_slice(&rtype.0.to_be_bytes());
        self.bytes[10..12].copy_from_slice(&class.0.to_be_bytes());
        self.bytes[12] = u8::from(dnssec_ok) << 1 | u8::from(checking_disabled);
    }

    /// A key out of another one's octets, of which it takes everything but block and scope; the name must have been parsed.
    pub(crate) fn from_parts(block: BlockId, scope: Scope, rest: &[u8], name: &Name) -> Self {
        let mut key = Self::new();
        key.set_name(name.as_wire());
        key.bytes[..4].copy_from_slice(&block.0.to_be_bytes());
        key.bytes[4..8].copy_from_slice(&scope.number().to_be_bytes());
        key.bytes[8..PREFIX].copy_from_slice(rest);
        key
    }

    /// The whole key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// The block.
    pub(crate) fn block(&self) -> BlockId {
        block_of(&self.bytes)
    }

    /// True if the answer holds for pods with one search list only.
    pub(crate) fn is_search(&self) -> bool {
        self.bytes[4..8] != [0; 4]
    }

    /// The type.
    pub(crate) fn rtype(&self) -> RecordType {
        RecordType(u16::from_be_bytes([self.bytes[8], self.bytes[9]]))
    }

    /// The class.
    pub(crate) fn class(&self) -> Class {
        Class(u16::from_be_bytes([self.bytes[10], self.bytes[11]]))
    }
}

impl Default for KeyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Octets of type, class and bits.
pub(crate) const REST: usize = PREFIX - 8;

/// The parts of a whole key: block, number of the scope, type with class and bits, name.
pub(crate) fn parts_of(key: &[u8]) -> (BlockId, u32, &[u8], &[u8]) {
    let scope = u32::from_be_bytes([key[4], key[5], key[6], key[7]]);
    (block_of(key), scope, &key[8..PREFIX], &key[PREFIX..])
}

/// The block in a whole key.
pub(crate) fn block_of(key: &[u8]) -> BlockId {
    BlockId(u32::from_be_bytes([key[0], key[1], key[2], key[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::ListId;

    fn key(name: &str, block: u32, scope: Scope, rtype: u16, class: u16, bits: (bool, bool)) -> Vec<u8> {
        let mut key = KeyBuffer::new();
        key.set_name(Name::parse(name).unwrap().as_wire());
        key.set(BlockId(block), scope, RecordType(rtype), Class(class), bits.0, bits.1);
        key.as_bytes().to_vec()
    }

    #[test]
    fn keys_differ_by_each_of_their_parts() {
        let list = |id| Scope::Search(ListId(id));
        let keys = [
            key("a.example", 1, Scope::Shared, 1, 1, (false, false)),
            key("b.example", 1, Scope::Shared, 1, 1, (false, false)),
            key("a.example", 2, Scope::Shared, 1, 1, (false, false)),
            key("a.example", 1, list(1), 1, 1, (false, false)),
            key("a.example", 1, list(0x0100_0000), 1, 1, (false, false)),
            key("a.example", 1, Scope::Shared, 28, 1, (false, false)),
            key("a.example", 1, Scope::Shared, 1, 3, (false, false)),
            key("a.example", 1, Scope::Shared, 1, 1, (true, false)),
            key("a.example", 1, Scope::Shared, 1, 1, (false, true)),
            key("a.example", 1, Scope::Shared, 1, 1, (true, true)),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(one), "{index}");
        }
    }

    #[test]
    fn spelling_does_not_matter_and_a_shorter_name_leaves_nothing_behind() {
        let mut key = KeyBuffer::new();
        key.set_name(b"\x03WwW\x07eXample\0");
        assert_eq!(key.name(), b"\x03www\x07example\0");
        key.set_name(b"\x01A\0");
        assert_eq!(key.name(), b"\x01a\0");
        assert_eq!(key.as_bytes().len(), PREFIX + 3);
        let longest = Name::parse(&"a.".repeat(127)).unwrap();
        key.set_name(longest.as_wire());
        assert_eq!(key.name(), longest.as_wire());
    }
}
