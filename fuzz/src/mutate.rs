//! Random and mutated packets from a seed, for machines without a fuzzer.

/// Makes packets out of good ones.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// Starts from a seed and good packets.
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { state: seed, corpus }
    }

    /// The next packet: noise, or a good packet with up to eight changes.
    pub fn next_packet(&mut self, packet: &mut Vec<u8>) {
        packet.clear();
        let choice = self.below(16);
        if choice == 0 || self.corpus.is_empty() {
            let length = self.below(600);
            packet.extend((0..length).map(|_| 0));
            packet.iter_mut().for_each(|octet| *octet = self.bits() as u8);
            return;
        }
        let index = self.below(self.corpus.len());
        packet.extend(&self.corpus[index]);
        for _ in 0..=self.below(8) {
            self.change(packet);
        }
    }

    fn change(&mut self, packet: &mut Vec<u8>) {
        let Some(last) = packet.len().checked_sub(1) else { return };
        let at = self.below(last + 1);
        match self.below(9) {
            0 => packet[at] ^= 1 << self.below(8),
            1 => packet[at] = self.bits() as u8,
            2 => packet[at] = [0, 1, 63, 64, 0x7f, 0xc0, 0xc0, 0xff][self.below(8)],
            3 => packet.truncate(at),
            4 => packet.insert(at, self.bits() as u8),
            5 => drop(packet.remove(at)),
            6 => packet[at.min(11)] = self.below(4) as u8, // the header's counts and flags
            7 => {
                let copied: Vec<u8> = packet[at..(at + 24).min(last + 1)].to_vec();
                packet.extend(copied);
            }
            _ => {
                let other = self.below(self.corpus.len());
                let from = self.below(self.corpus[other].len().max(1));
                packet.truncate(at);
                packet.extend(&self.corpus[other][from..]);
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    fn bits(&mut self) -> u64 {
        // xorshift64*, never at zero
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        if self.state == 0 {
            self.state = 0x9e37_79b9_7f4a_7c15;
        }
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
