//! `dns64` before memory and before the other blocks: what it asks a second time, and whom.

use contract::{Looked, Selector};

use super::*;

/// Has IPv4 addresses alone: 192.0.2 and its own number. To AAAA it says SERVFAIL, or NOERROR.
#[derive(Debug)]
struct Ipv4 {
    number: u8,
    aaaa: Rcode,
    asked: Mutex<Vec<RecordType>>,
}

impl Ipv4 {
    fn new(number: u8, aaaa: Rcode) -> Arc<Self> {
        Arc::new(Self { number, aaaa, asked: Mutex::default() })
    }

    /// What it was asked for since the last time.
    fn asked(&self) -> Vec<RecordType> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Plugin for Ipv4 {
    fn name(&self) -> &'static str {
        "ipv4"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        self.asked.lock().unwrap().push(query.rtype);
        let answer = match query.rtype {
            RecordType::A => address(query, 60, self.number),
            _ => Answer::empty(&query.name, query.rtype, query.class, self.aaaa),
        };
        let upstream = Source::Upstream(([192, 0, 2, 53], 53).into());
        Box::pin(async move { Ok(Reply::fresh(answer, upstream)) })
    }
}

/// `view`: for questions of AAAA alone.
#[derive(Debug)]
struct ForAaaa;

impl Selector for ForAaaa {
    fn view(&self) -> &str {
        "aaaa"
    }

    fn selects(&self, looked: &Looked<'_>) -> bool {
        looked.rtype == RecordType::AAAA
    }

    fn is_personal(&self) -> bool {
        false
    }
}

fn dns64() -> Arc<dyn Plugin> {
    testing::built(testing::checked("dns64", ::dns64::check), &testing::context())
}

fn question() -> Query {
    Query { client: testing::client("2001:db8::7"), ..testing::query("www.example", RecordType::AAAA) }
}

/// The last octet of the address behind the well-known prefix that a client is told.
fn made(served: Served) -> Result<u8, Failure> {
    let reply = served?;
    let message = reply.answer.message();
    assert!(message.asks(&name("www.example"), RecordType::AAAA, Class::IN));
    let record = message.section(Section::Answer).next().unwrap();
    let octets = message.rdata(&record);
    assert_eq!(octets[..4], [0, 0x64, 0xff, 0x9b]);
    Ok(octets[15])
}

#[tokio::test]
async fn a_memorised_failure_of_aaaa_is_like_having_none() {
    let upstream = Ipv4::new(1, Rcode::SERVFAIL);
    let block = Arc::new(block(1, "cache", &[dns64()], vec![], upstream.clone()));
    let entrance = entrance(&[Arc::clone(&block)]);
    assert_eq!(made(entrance.resolve(question()).await), Ok(1));
    assert_eq!(upstream.asked(), [RecordType::AAAA, RecordType::A]);
    for _ in 0..2 {
        assert_eq!(made(entrance.resolve(question()).await), Ok(1));
    }
    assert_eq!(upstream.asked(), [], "memory knew both");
    let refused = contract::Bound::Misses.reached();
    let recall = |query| entrance.go_ahead(Arc::clone(&block), query, Asking::Remembered(refused.clone()));
    assert_eq!(made(recall(question()).await), Ok(1), "without room too");
    let other = Query { name: name("other.example"), ..question() };
    assert_eq!(made(recall(other).await), Err(refused.clone()));
    assert_eq!(upstream.asked(), [], "nobody was asked");
}

#[tokio::test]
async fn the_question_for_a_is_for_the_block_of_that_question() {
    let (one, other) = (Ipv4::new(1, Rcode::NOERROR), Ipv4::new(2, Rcode::NOERROR));
    let seen = block(1, "cache", &[dns64()], vec![], one.clone());
    let seen = Arc::new(Block { view: Some(Arc::new(ForAaaa)), ..seen });
    let rest = Arc::new(block(4, "cache", &[], vec![], other.clone()));
    let entrance = entrance(&[seen, rest]);
    for _ in 0..2 {
        assert_eq!(made(entrance.resolve(question()).await), Ok(2));
    }
    assert_eq!((one.asked(), other.asked()), (vec![RecordType::AAAA], vec![RecordType::A]), "once, then memory knew");
}
