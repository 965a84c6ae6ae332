//! What stands ahead of memory: which question enters memory, and that nobody is answered by what holds for another question.

mod dns64;

use std::sync::{Arc, Mutex};

use cache::BlockId;
use contract::testing;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Ahead, Answer, Blocks as _, Boxed, Client, Failure, Gate, Inside as _, Next, Past, Plugin, Query, Reply, Served,
    Source, Verdict,
};

use super::{AheadOf, Asking, Inner};
use crate::daemon::{Options, shared_for_tests};
use crate::serve::block::Block;
use crate::serve::entrance::Entrance;
use crate::serve::zones::Zones;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Asks for one name in place of another, and answers for what comes; once, as `rewrite` does.
#[derive(Debug)]
struct Renames(&'static [(&'static str, &'static str)]);

impl Renames {
    fn target(&self, asked: &[u8]) -> Option<Name> {
        self.0.iter().find(|(from, _)| name(from).as_wire() == asked).map(|(_, to)| name(to))
    }
}

impl Ahead for Renames {
    fn touches(&self, name: &[u8], _: RecordType, _: Class) -> bool {
        self.target(name).is_some()
    }
}

impl Plugin for Renames {
    fn name(&self) -> &'static str {
        "renames"
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        Some(self)
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let Some(target) = self.target(query.name.as_wire()) else { return next.serve(query) };
        Box::pin(async move {
            let reply = next.serve(&Query { name: target, ..query.clone() }).await?.settled();
            let message = reply.answer.message();
            let record = message.section(Section::Answer).next().unwrap();
            let answer = address(query, record.ttl, *message.rdata(&record).last().unwrap());
            Ok(Reply { answer: Arc::new(answer), ..reply })
        })
    }
}

/// Answers 192.0.2.99 itself whenever clients of 10.0.0.0/8 ask.
#[derive(Debug)]
struct ForTen;

impl Ahead for ForTen {
    fn always(&self, client: &Client, _: RecordType) -> bool {
        client.ip().to_string().starts_with("10.")
    }

    fn is_personal(&self) -> bool {
        true
    }

    fn touches(&self, _: &[u8], _: RecordType, _: Class) -> bool {
        false
    }
}

impl Plugin for ForTen {
    fn name(&self) -> &'static str {
        "for_ten"
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        Some(self)
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        match self.always(&query.client, query.rtype) {
            true => Box::pin(async { Ok(Reply::fresh(address(query, 60, 99), Source::Plugin("for_ten"))) }),
            false => next.serve(query),
        }
    }
}

/// Sees every question of A, and has options sent with it: for all who ask alike, or for this client.
#[derive(Debug)]
struct Says {
    for_all: bool,
}

impl Ahead for Says {
    fn always(&self, _: &Client, _: RecordType) -> bool {
        true
    }

    fn touches(&self, _: &[u8], _: RecordType, _: Class) -> bool {
        false
    }
}

impl Plugin for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        Some(self)
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move {
            let mut asked = query.clone();
            asked.options.sent = Some([0xff, 0xee, 0, 1, 7].into());
            asked.options.for_all = self.for_all;
            next.serve(&asked).await
        })
    }
}

/// The end of the chain: notes who was asked for, and answers with the length of the name.
#[derive(Debug, Default)]
struct Centre(Mutex<Vec<(String, Past)>>);

impl Plugin for Centre {
    fn name(&self) -> &'static str {
        "centre"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        let text = query.name.to_string();
        self.0.lock().unwrap().push((text.clone(), query.past));
        let answer = address(query, 60, u8::try_from(text.len()).unwrap());
        Box::pin(async { Ok(Reply::fresh(answer, Source::Plugin("centre"))) })
    }
}

/// Blocks one name, and drops another.
#[derive(Debug)]
struct Guard(&'static str, &'static str);

impl Gate for Guard {
    fn verdict(&self, _: &Client, asked: &[u8], _: RecordType) -> Verdict {
        match asked {
            asked if asked == name(self.0).as_wire() => Verdict::Block,
            asked if asked == name(self.1).as_wire() => Verdict::Drop,
            _ => Verdict::Allow,
        }
    }
}

impl Plugin for Guard {
    fn name(&self) -> &'static str {
        "guard"
    }

    fn gate(&self) -> Option<&dyn Gate> {
        Some(self)
    }
}

fn address(query: &Query, ttl: u32, last: u8) -> Answer {
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.record(Section::Answer, &query.name, query.rtype, ttl, |to| to.octets(&[192, 0, 2, last])).unwrap();
    Answer::composed(composer.finish(), Rcode::NOERROR)
}

struct House {
    entrance: Entrance,
    block: Arc<Block>,
    centre: Arc<Centre>,
}

/// A block with `cache`, as that is written: what stands ahead of memory, gates, and the end of its chain.
fn block(
    number: u32,
    cache: &str,
    ahead: &[Arc<dyn Plugin>],
    gates: Vec<Arc<dyn Plugin>>,
    end: Arc<dyn Plugin>,
) -> Block {
    let chain = ahead.iter().cloned().chain([end]).collect();
    let first = AheadOf::new(ahead, ahead.len(), || Arc::new(BlockId(number + 200)));
    Block { ahead: first, gates: gates.into(), ..Block::bare(number, Name::root(), cache, chain) }
}

/// The way into blocks with a store of their own.
fn entrance(blocks: &[Arc<Block>]) -> Entrance {
    let shared = shared_for_tests(&Options::default(), &tokio::runtime::Handle::current());
    Entrance(Arc::new(Zones::new(blocks, shared)))
}

impl House {
    fn new(ahead: Vec<Arc<dyn Plugin>>, gates: Vec<Arc<dyn Plugin>>) -> Self {
        Self::with("cache", ahead, gates)
    }

    /// A block with this `cache`: what stands ahead of memory, gates, and the centre.
    fn with(cache: &str, ahead: Vec<Arc<dyn Plugin>>, gates: Vec<Arc<dyn Plugin>>) -> Self {
        let centre = Arc::new(Centre::default());
        let block = Arc::new(block(1, cache, &ahead, gates, centre.clone()));
        Self { entrance: entrance(&[Arc::clone(&block)]), block, centre }
    }

    async fn ask(&self, asked: &str) -> Result<u8, Failure> {
        self.ask_from("192.0.2.7", asked).await
    }

    /// The last octet of the address that a client is told.
    async fn ask_from(&self, client: &str, asked: &str) -> Result<u8, Failure> {
        let query = Query { client: testing::client(client), ..testing::query(asked, RecordType::A) };
        let reply = self.entrance.enter(Arc::clone(&self.block), query.clone(), Asking::AsUsual).await?;
        let message = reply.answer.message();
        assert!(message.asks(&query.name, query.rtype, query.class), "the question is the client's");
        let record = message.section(Section::Answer).next().unwrap();
        assert_eq!(message.name(record.owner), Some(query.name));
        Ok(*message.rdata(&record).last().unwrap())
    }

    /// Whom the centre was asked for since the last time.
    fn asked(&self) -> Vec<(String, Past)> {
        std::mem::take(&mut self.centre.0.lock().unwrap())
    }
}

fn renames(rules: &'static [(&'static str, &'static str)]) -> Vec<Arc<dyn Plugin>> {
    vec![Arc::new(Renames(rules))]
}

#[tokio::test]
async fn a_changed_question_shares_memory_with_those_who_ask_what_it_became() {
    let house = House::new(renames(&[("old.example", "newer.example")]), vec![]);
    assert_eq!(house.ask("old.example").await, Ok(14));
    assert_eq!(house.asked(), [("newer.example.".to_owned(), Past::Shared)]);
    assert_eq!(house.ask("newer.example").await, Ok(14));
    assert_eq!(house.ask("old.example").await, Ok(14));
    assert_eq!(house.asked(), [], "memory knew it");
    let known = |asked: &str| house.entrance.stored(&testing::query(asked, RecordType::A)).is_some();
    assert!(known("newer.example") && !known("old.example"), "under the question that was asked for");
}

#[tokio::test]
async fn what_came_of_another_question_is_not_told_to_those_whose_question_is_changed() {
    let house = House::new(renames(&[("a.example", "bb.example"), ("bb.example", "ccc.example")]), vec![]);
    assert_eq!(house.ask("a.example").await, Ok(11), "changed once");
    assert_eq!(house.asked(), [("bb.example.".to_owned(), Past::Own)]);
    assert_eq!(house.ask("bb.example").await, Ok(12), "not what was memorised for the other");
    assert_eq!(house.asked(), [("ccc.example.".to_owned(), Past::Shared)]);
    assert_eq!((house.ask("a.example").await, house.ask("bb.example").await), (Ok(11), Ok(12)));
    assert_eq!(house.asked(), [], "both from memory");
}

#[tokio::test]
async fn work_beside_memorises_nothing_under_a_question_that_is_changed() {
    let house = House::new(renames(&[("old.example", "newer.example")]), vec![]);
    let query = testing::query("old.example", RecordType::A);
    for reply in [house.entrance.renew(query.clone()).await, house.entrance.ask_anew(query.clone()).await] {
        assert_eq!(reply.unwrap().answer.message().question_name(), Some(query.name.clone()));
    }
    assert_eq!(house.asked().len(), 2, "each asked");
    assert!(house.entrance.stored(&query).is_none() && house.entrance.remembered(&query).is_none());
}

#[tokio::test]
async fn gates_judge_the_question_that_goes_on() {
    let rules = &[
        ("to-blocked.example", "blocked.example"),
        ("dropped.example", "open.example"),
        ("to.example", "dropped.example"),
    ];
    let house = House::new(renames(rules), vec![Arc::new(Guard("blocked.example", "dropped.example"))]);
    assert_eq!(house.ask("to-blocked.example").await, Err(Failure::Prohibited));
    assert_eq!(house.ask("dropped.example").await, Ok(13), "its own name is nobody's business");
    assert_eq!(house.ask("to.example").await, Err(Failure::Silent));
    let inside = house.entrance.resolve(testing::query("to.example", RecordType::A)).await;
    assert_eq!(inside.unwrap_err(), Failure::Prohibited, "whoever asks for somebody else has an answer");
}

#[tokio::test]
async fn who_must_be_seen_is_seen_whatever_memory_knows() {
    let house = House::new(vec![Arc::new(ForTen)], vec![]);
    assert_eq!(house.ask_from("192.0.2.7", "a.example").await, Ok(10));
    assert_eq!(house.ask_from("10.0.0.1", "a.example").await, Ok(99));
    assert_eq!(house.ask_from("192.0.2.7", "a.example").await, Ok(10));
    let query = Query { client: testing::client("10.0.0.1"), ..testing::query("a.example", RecordType::A) };
    assert!(house.entrance.stored(&query).is_none(), "memory does not speak for them");
    assert!(house.entrance.0.walks_are_closed(), "nor do walks of others");
}

#[tokio::test]
async fn inside_the_question_is_past_what_stands_ahead() {
    let house = House::new(renames(&[("old.example", "newer.example")]), vec![]);
    let inner = Inner { entrance: house.entrance.clone(), block: Arc::clone(&house.block), asking: Asking::AsUsual };
    let query = testing::query("old.example", RecordType::A);
    let reply = inner.enter(&query).await.unwrap();
    assert_eq!(reply.answer.message().question_name(), Some(query.name));
    assert_eq!(house.asked(), [("old.example.".to_owned(), Past::Own)], "it is not changed a second time");
}

#[tokio::test]
async fn without_room_memory_answers_what_a_question_becomes() {
    let house =
        House::new(renames(&[("old.example", "newer.example"), ("unknown.example", "nowhere.example")]), vec![]);
    assert_eq!(house.ask("newer.example").await, Ok(14));
    house.asked();
    let refused = contract::Bound::Misses.reached();
    let recall = |asked| {
        let asking = Asking::Remembered(refused.clone());
        house.entrance.go_ahead(Arc::clone(&house.block), testing::query(asked, RecordType::A), asking)
    };
    let known = recall("old.example").await.unwrap();
    assert_eq!(known.answer.message().question_name(), Some(name("old.example")));
    assert_eq!(recall("unknown.example").await.unwrap_err(), refused);
    assert_eq!(house.asked(), [], "nobody was asked");
}

#[tokio::test]
async fn options_that_all_who_ask_send_leave_memory_in_its_place() {
    for (for_all, times) in [(true, 1), (false, 2)] {
        let house = House::new(vec![Arc::new(Says { for_all })], vec![]);
        assert_eq!((house.ask("a.example").await, house.ask("a.example").await), (Ok(10), Ok(10)));
        assert_eq!(house.asked().len(), times, "for all: {for_all}");
    }
}

#[tokio::test]
async fn what_bypasses_memory_is_bounded_as_memory_bounds_it() {
    let house = House::with("cache 30", vec![Arc::new(Says { for_all: false })], vec![]);
    let query = testing::query("a.example", RecordType::A);
    let ttl = |served: Served| served.unwrap().settled().answer.smallest_ttl();
    assert_eq!(ttl(house.entrance.resolve(query.clone()).await), Some(30), "with options of its own");
    assert_eq!(ttl(house.entrance.ask_anew(query).await), Some(30));
    assert_eq!(house.asked().len(), 2);
}
