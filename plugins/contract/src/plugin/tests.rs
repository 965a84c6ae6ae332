//! Replies as plugins that change them take them, and hand them on.

use super::*;
use crate::limits::STALE_TTL;
use crate::testing::query;
use crate::wire::{Composer, Rcode, Section};

/// Addresses with these TTLs, of this age.
fn reply(ttls: &[u32], age: Age) -> Reply {
    let asked = query("www.example", RecordType::A);
    let mut composer = Composer::new(&asked.name, asked.rtype, asked.class);
    for ttl in ttls {
        composer.record(Section::Answer, &asked.name, RecordType::A, *ttl, |to| to.octets(&[192, 0, 2, 1])).unwrap();
    }
    let answer = Answer::composed(composer.finish(), Rcode::NOERROR);
    Reply { age, ..Reply::fresh(answer, Source::Store) }
}

#[test]
fn settled_it_has_the_ttls_that_are_told_and_is_as_stale_as_it_was() {
    for (age, ttls, settled, seconds) in [
        (Age::Fresh(0), [60, 90], Age::Fresh(0), 60),
        (Age::Fresh(70), [0, 20], Age::Fresh(0), 0),
        (Age::Kept, [60, 90], Age::Fresh(0), 60),
        (Age::Stale, [STALE_TTL, STALE_TTL], Age::StaleWith(STALE_TTL), 0),
        (Age::StaleWith(7), [7, 7], Age::StaleWith(7), 0),
    ] {
        let reply = reply(&[60, 90], age);
        let is_stale = reply.is_stale();
        let reply = reply.settled();
        let message = reply.answer.message();
        let told: Vec<_> = message.section(Section::Answer).map(|record| record.ttl).collect();
        assert_eq!((&told[..], reply.age, reply.is_stale()), (&ttls[..], settled, is_stale), "{age:?}");
        assert_eq!(reply.true_for(), Some(Duration::from_secs(seconds)), "{age:?}");
    }
}

#[test]
fn what_is_made_of_a_stale_reply_is_stale() {
    for (made_of, age) in [
        (Age::Fresh(0), Age::Fresh(0)),
        (Age::Kept, Age::Fresh(0)),
        (Age::Stale, Age::StaleWith(15)),
        (Age::StaleWith(30), Age::StaleWith(15)),
    ] {
        assert_eq!(reply(&[20, 15], Age::Fresh(0)).as_old_as(made_of).age, age);
    }
    let empty = reply(&[], Age::Fresh(0)).as_old_as(Age::StaleWith(9));
    assert!(empty.is_stale() && empty.as_old_as(Age::Fresh(0)).is_stale(), "and stays so");
}
