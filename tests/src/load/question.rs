//! What is asked, what the right answer is, and whether a message is that.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::load::By;
use crate::message::{Ask, Reply, ask};
use crate::node::centre;

/// The zone that all names are in.
pub const ORIGIN: &str = "load.example.";
/// Names that are asked again and again.
pub const HOT: u32 = 200;
/// Of a hundred questions so many are for hot names.
const HOT_PERCENT: u32 = 80;
/// What every name that is asked once has: a wildcard answers for it.
const MISS: Ipv4Addr = Ipv4Addr::new(10, 201, 0, 1);
/// The code of NSID (RFC 5001 2.1).
const NSID: u16 = 3;

/// The zone's master file.
pub fn zone() -> String {
    let mut text =
        format!("$ORIGIN {ORIGIN}\n$TTL 60\n@ SOA ns hostmaster 1 7200 900 1209600 30\n@ NS ns\nns A 10.2.0.2\n");
    for number in 0..HOT {
        writeln!(text, "h{number}.hot A {}", hot(number)).expect("a String takes all");
    }
    writeln!(text, "*.miss A {MISS}").expect("a String takes all");
    text
}

fn hot(number: u32) -> Ipv4Addr {
    let [_, _, high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 200, high, low)
}

/// Who asks: names that are asked once differ between runs and places.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The number of the load in this process.
    pub run: u32,
    /// The number of the place in it.
    pub place: u32,
}

impl Asker {
    /// The name of question number `index`, and its address.
    fn name(self, index: u32) -> (String, Ipv4Addr) {
        let drawn = index.wrapping_mul(2_654_435_761).wrapping_add(self.place.wrapping_mul(97)) >> 8;
        if drawn % 100 < HOT_PERCENT {
            let number = (drawn / 100) % HOT;
            return (format!("h{number}.hot.{ORIGIN}"), hot(number));
        }
        let process = std::process::id();
        (format!("u{process}-{}-{}-{index}.miss.{ORIGIN}", self.run, self.place), MISS)
    }

    fn ask(self, index: u32) -> (Ask, String, Ipv4Addr) {
        let (name, address) = self.name(index);
        let mut ask = ask(&name, "A").option(NSID, &[]);
        ask.id = id(index);
        (ask, name, address)
    }

    /// The message of question number `index`.
    pub fn wire(self, index: u32) -> Vec<u8> {
        self.ask(index).0.wire()
    }

    /// Who answered question number `index` rightly, or what is wrong with the message.
    pub fn judge(self, index: u32, octets: &[u8]) -> Result<By, String> {
        let (ask, name, address) = self.ask(index);
        let reply = Reply::read(octets)?;
        let mut question = ask.name.clone();
        question.extend(ask.rtype.to_be_bytes());
        question.extend(ask.class.to_be_bytes());
        let expected = format!("{name} A {address}");
        let good = reply.id == ask.id
            && reply.flags & 0x8000 != 0
            && reply.rcode == 0
            && reply.question == question
            && reply.answers() == [expected.as_str()];
        if !good {
            return Err(format!("asked {name} (id {}), got\n{reply}", ask.id));
        }
        let options = reply.opt.iter().flat_map(|opt| &opt.options);
        let mut nsid = options.filter(|(code, _)| *code == NSID).map(|(_, octets)| octets.as_slice());
        Ok(match nsid.next() {
            None | Some([]) => By::Unnamed,
            Some(said) if said == centre::NSID.as_bytes() => By::Centre,
            Some(_) => By::Daemon,
        })
    }
}

/// The id of question number `index`.
pub fn id(index: u32) -> u16 {
    index as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_five_are_hot_and_the_others_are_asked_once() {
        let asker = Asker { run: 1, place: 2 };
        let names: Vec<String> = (0..10_000).map(|index| asker.name(index).0).collect();
        let hot = names.iter().filter(|name| name.contains(".hot.")).count();
        assert!((7_800..8_200).contains(&hot), "{hot} of 10000 are hot");
        let once: std::collections::BTreeSet<_> = names.iter().filter(|name| name.contains(".miss.")).collect();
        assert_eq!(once.len(), 10_000 - hot);
    }

    #[test]
    fn an_answer_to_another_question_is_wrong() {
        let asker = Asker { run: 1, place: 0 };
        let mut reply = asker.wire(5);
        reply[2] |= 0x80; // a reply without an answer
        assert!(asker.judge(5, &reply).is_err());
        assert!(asker.judge(6, &reply).is_err());
    }
}
