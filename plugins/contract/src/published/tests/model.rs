//! Random words of a watch, and two readers, against a model that keeps all there ever was.

use std::collections::BTreeMap;

use super::*;

const ZONE: [&str; 9] = ["a.z", "b.z", "*.z", "a.b.z", "*.b.z", "x.a.b.z", "*.a.b.z", "c.a.z", "z"];
const OBJECTS: [&str; 4] = ["one", "two", "three", "four"];
const KINDS: [Kind; 3] = [Kind::DnsEndpoint, Kind::Service, Kind::Ingress];
const TYPES: [Option<RecordType>; 5] = [None, A, AAAA, CNAME, Some(RecordType::TXT)];

/// Numbers that look random and are the same each time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Everything that was ever said.
#[derive(Default)]
struct Model {
    objects: BTreeMap<Object, Vec<Publication>>,
    /// Names that changed with each step.
    changes: Vec<Vec<Name>>,
    withdrawn: BTreeMap<(Name, Option<RecordType>), Moment>,
}

impl Model {
    fn under<'m>(all: &'m [Publication], name: &'m Name) -> impl Iterator<Item = &'m Publication> {
        all.iter().filter(move |one| one.name == *name)
    }

    /// All words of one step, each about one object.
    fn step(&mut self, words: Vec<(Object, Vec<Publication>)>, now: Moment) {
        let mut changed = BTreeSet::new();
        for (object, new) in words {
            let old = self.objects.insert(object, new.clone()).unwrap_or_default();
            for name in old.iter().chain(&new).map(|one| &one.name) {
                if !Self::under(&old, name).eq(Self::under(&new, name)) {
                    changed.insert(name.clone());
                }
            }
            for one in &new {
                self.withdrawn.remove(&(one.name.clone(), one.rtype));
            }
            for one in old {
                if !Self::under(&new, &one.name).any(|other| other.rtype == one.rtype) {
                    self.withdrawn.insert((one.name, one.rtype), now);
                }
            }
        }
        self.changes.push(changed.into_iter().collect());
    }

    fn at(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let all = self.objects.iter().flat_map(|(object, all)| all.iter().map(move |one| (object, one)));
        let found = all.filter(|(_, one)| one.name == *name);
        found.map(|(object, one)| (Arc::new(object.clone()), one.clone())).collect()
    }

    /// RFC 4592: the wildcard below the longest existing name above this one, if the name does not exist itself.
    fn covering(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let found = self.at(name);
        if !found.is_empty() {
            return found;
        }
        let published: BTreeSet<Name> = self.objects.values().flatten().map(|one| one.name.clone()).collect();
        let above: Vec<Name> = std::iter::successors(name.parent(), Name::parent).collect();
        let exists = |one: &Name| published.iter().any(|other| one.encloses(other));
        let encloser = above.iter().find(|one| exists(one)).filter(|_| !exists(name));
        encloser.map(|one| self.at(&Name::join(b"\x01*", one).unwrap())).unwrap_or_default()
    }

    /// The same by the names that are published themselves.
    fn was_withdrawn(&self, name: &Name, rtype: RecordType, now: Moment) -> bool {
        let answers = |one: Option<RecordType>| one.is_none() || one == Some(rtype) || one == CNAME;
        let mut sources = vec![name.clone()];
        let mut above = name.parent();
        while let Some(one) = above {
            sources.push(Name::join(b"\x01*", &one).unwrap());
            above = if self.at(&one).is_empty() { one.parent() } else { None };
        }
        let known = sources.iter().position(|source| !self.at(source).is_empty());
        let published = known.is_some_and(|at| self.at(&sources[at]).iter().any(|(_, one)| answers(one.rtype)));
        let looked_at = &sources[..known.map_or(sources.len(), |at| at + 1)];
        let withdrawn = self.withdrawn.iter().any(|((source, rtype), since)| {
            looked_at.contains(source) && answers(*rtype) && now.since(*since) < WITHDRAWN_FOR
        });
        withdrawn && !published
    }
}

fn publications(random: &mut Random) -> Vec<Publication> {
    let one = |random: &mut Random| {
        let targets: &[&str] = random.one_of(&[&["1"][..], &["1", "2"], &[]]);
        let (ttl, is_plain) = (random.one_of(&[None, Some(7)]), random.below(2) == 0);
        Publication { ttl, is_plain, ..records(random.one_of(&ZONE), random.one_of(&TYPES), targets) }
    };
    (0..random.below(4)).map(|_| one(random)).collect()
}

fn an_object(random: &mut Random) -> Object {
    Object { kind: random.one_of(&KINDS), ..object(random.one_of(&OBJECTS)) }
}

/// Whatever is said of an object counts, the last word of a list among them; who is not named in it is gone.
fn word(published: &Published, model: &mut Model, random: &mut Random, now: Moment) {
    if random.below(10) < 7 {
        let (object, new) = (an_object(random), publications(random));
        assert!(published.set(object.clone(), new.clone(), now));
        model.step(vec![(object, new)], now);
        return;
    }
    let kind = random.one_of(&KINDS);
    let mut item = || {
        let object = Object { kind, ..an_object(random) };
        let same = model.objects.get(&object).filter(|_| random.below(2) == 0).cloned();
        (object, same.unwrap_or_else(|| publications(random)))
    };
    let list = [item(), item(), item()][..].to_vec();
    assert!(published.replace(kind, list.clone(), now));
    let is_gone = |object: &&Object| object.kind == kind && !list.iter().any(|(other, _)| other == *object);
    let gone: Vec<_> = model.objects.keys().filter(is_gone).map(|object| (object.clone(), Vec::new())).collect();
    let last: BTreeMap<Object, Vec<Publication>> = list.into_iter().collect();
    model.step(gone.into_iter().chain(last).collect(), now);
}

#[test]
fn random_words_leave_what_a_model_of_everything_says() {
    let others = ["q.z", "q.b.z", "q.a.b.z", "p.q.z", "q.x.a.b.z", "y", "."];
    let asked: Vec<Name> = ZONE.iter().chain(&others).map(|one| name(one)).collect();
    let (mut covered, mut was) = (0, 0);
    for seed in 1..=60 {
        let (published, mut model) = (Published::new(&KINDS), Model::default());
        let mut random = Random(seed);
        let (mut now, mut readers) = (NOW, [(0, 0); 2]);
        for _ in 0..80 {
            now = now.after(Duration::from_secs(random.below(600) as u64));
            word(&published, &mut model, &mut random, now);
            for name in &asked {
                assert_eq!(published.at(name), model.at(name), "seed {seed}: {name}");
                let found = published.covering(name);
                assert_eq!(found, model.covering(name), "seed {seed}: {name}");
                covered += usize::from(!found.is_empty());
                let rtype = random.one_of(&TYPES).unwrap_or(RecordType::MX);
                let withdrawn = published.was_withdrawn(name, rtype, now);
                assert_eq!(withdrawn, model.was_withdrawn(name, rtype, now), "seed {seed}: {name} {rtype}");
                was += usize::from(withdrawn);
            }
            assert_eq!(published.count(), model.objects.values().map(Vec::len).sum::<usize>());
            let reader = random.below(2);
            let (version, step) = readers[reader];
            let (new_version, changes) = published.changes_since(version);
            let expected: BTreeSet<Name> = model.changes[step..].concat().into_iter().collect();
            assert_eq!(changes, Changes::Names(expected.into_iter().collect()), "seed {seed}");
            assert_eq!(new_version, model.changes.iter().map(Vec::len).sum::<usize>() as u64);
            readers[reader] = (new_version, model.changes.len());
        }
    }
    assert!(covered > 1_000 && was > 1_000, "{covered} found, {was} withdrawn: the test looks at nothing");
}
