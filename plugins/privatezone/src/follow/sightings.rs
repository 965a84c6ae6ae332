//! Since when the zone shows what objects say: noted as its resolver answers, for whoever asks later.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use contract::Moment;
use contract::limits::SIGHTINGS_HALF_MAX;
use contract::wire::{Name, RecordType};

use super::data::{Records, View};
use super::said::{Expected, Said};

/// What was seen, in two halves: a full one becomes the older one, and what nobody asks for leaves with it.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    halves: Mutex<Halves>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Name, Vec<Sighting>>,
    old: HashMap<Name, Vec<Sighting>>,
}

/// One type of a name was shown as objects say.
#[derive(Clone, Debug)]
struct Sighting {
    rtype: RecordType,
    since: Moment,
    /// A number for the records that were shown: other ones have another.
    records: u64,
}

impl Sightings {
    /// Takes note of what the zone shows. True if it shows what objects say and did not before, as far as is known.
    pub(super) fn note(&self, name: &Name, rtype: RecordType, view: &View, said: &Said, now: Moment) -> bool {
        // a CNAME is one sighting, whatever is asked for, and of what nobody publishes there is none
        let Some(rtype) = said.published_type(rtype) else { return false };
        let is_shown = matches!(said.expected(rtype), Expected::OneOf(sets) if sets.contains(&view.records));
        let number = self.number(&view.records);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_name = halves.take(name);
        let before = of_name.iter().position(|one| one.rtype == rtype).map(|at| of_name.swap_remove(at));
        // so there are no more than types that objects publish and that can be compared
        of_name.retain(|one| said.published_type(one.rtype) == Some(one.rtype));
        let stays = before.filter(|one| is_shown && one.records == number);
        let is_new = is_shown && stays.is_none();
        if is_shown {
            of_name.push(stays.unwrap_or(Sighting { rtype, since: now, records: number }));
        }
        halves.put(name, of_name);
        is_new
    }

    /// Since when the zone shows what objects say now; `None` if it has not been seen.
    pub(super) fn since(&self, name: &Name, said: &Said) -> Option<Moment> {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = halves.young.get(name).or_else(|| halves.old.get(name))?;
        let holds = |one: &&Sighting| match said.expected(one.rtype) {
            Expected::OneOf(sets) => sets.iter().any(|set| self.number(set) == one.records),
            Expected::Nothing(_) | Expected::Anything(_) | Expected::Unknown => false,
        };
        of_name.iter().filter(holds).map(|one| one.since).min()
    }

    fn number(&self, records: &Records) -> u64 {
        self.hasher.hash_one(records)
    }
}

impl Halves {
    fn take(&mut self, name: &Name) -> Vec<Sighting> {
        self.young.remove(name).or_else(|| self.old.remove(name)).unwrap_or_default()
    }

    fn put(&mut self, name: &Name, of_name: Vec<Sighting>) {
        if of_name.is_empty() {
            return;
        }
        if self.young.len() >= SIGHTINGS_HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name.clone(), of_name);
    }
}

#[cfg(test)]
mod tests {
    use contract::{Kind, Object, Publication, Published};

    use super::*;
    use crate::follow::tests::world::answer;

    const NOW: Moment = Moment(1_000_000);

    fn count(sightings: &Sightings, name: &Name) -> usize {
        sightings.halves.lock().unwrap().young.get(name).map_or(0, Vec::len)
    }

    fn publish(published: &Published, all: impl IntoIterator<Item = (RecordType, &'static str)>) {
        let name = Name::parse("www.corp.example").unwrap();
        let one = |(rtype, target): (RecordType, &str)| Publication {
            name: name.clone(),
            rtype: Some(rtype),
            targets: [target.into()].into(),
            ttl: None,
            is_plain: true,
        };
        let object = Object { kind: Kind::Service, namespace: "shop".into(), name: "web".into() };
        published.set(object, all.into_iter().map(one).collect(), NOW);
    }

    #[test]
    fn a_name_has_as_many_sightings_as_types_are_published() {
        let (published, sightings) = (Published::new(&[]), Sightings::default());
        let name = Name::parse("www.corp.example").unwrap();
        let shows = |asked: u16, held: &[(RecordType, &str)]| {
            let shown = answer(&name, RecordType(asked), held, true);
            let view = View::of(&shown, &name, RecordType(asked)).unwrap();
            sightings.note(&name, RecordType(asked), &view, &Said::published(&published, &name), NOW)
        };
        let alias = (RecordType::CNAME, "lb.example");
        publish(&published, [alias]);
        let news = (1..=2_000).filter(|asked| shows(*asked, &[alias])).count();
        assert_eq!((news, count(&sightings, &name)), (1, 1), "one CNAME");
        assert!(!shows(1, &[(RecordType::A, "192.0.2.1")]));
        assert_eq!(count(&sightings, &name), 0, "it is not shown any more");
        publish(&published, [(RecordType::A, "192.0.2.1"), (RecordType::TXT, "x")]);
        assert!(shows(1, &[(RecordType::A, "192.0.2.1")]) && shows(16, &[(RecordType::TXT, "x")]));
        assert!((20..2_000).all(|asked| !shows(asked, &[])));
        assert_eq!(count(&sightings, &name), 2);
        publish(&published, [(RecordType::TXT, "x")]);
        assert!(!shows(16, &[(RecordType::TXT, "x")]));
        assert_eq!(count(&sightings, &name), 1, "nobody publishes an address");
    }
}
