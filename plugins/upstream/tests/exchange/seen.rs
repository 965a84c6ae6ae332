//! What exchanges tell: the steps of a question's story, the messages that went and came, and how upstreams stand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::wire::{Flags, HEADER, Rcode};
use contract::{Bound, Client, Context, Failure, Forwarded, Query, Story, Transport, What, Wiretap};
use upstream::{Group, GroupSettings, Policy, Protocol, Rate, Settings, Upstream};

use crate::script::{
    accept, answer_datagrams, both, context, good, query, refusing, reply, sequential, serve_well, soon, tcp, udp,
    upstream,
};

/// The same question, with a story.
fn told(context: &Context, name: &str) -> (Query, Arc<Story>) {
    let story = Arc::new(Story::begin());
    (Query { story: Some(Arc::clone(&story)), ..query(context, name) }, story)
}

fn steps(story: &Story) -> Vec<What> {
    story.steps().0.into_iter().map(|step| step.what).collect()
}

/// A message as it was shown: who, over what, the octets, whether it is an answer.
type Shown = (SocketAddr, &'static str, Vec<u8>, bool);

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(Shown, Client)>>);

impl Wiretap for Recorder {
    fn forwarded(&self, message: &Forwarded<'_>) {
        let Forwarded { upstream, protocol, client, message, answered_after } = *message;
        let shown = (upstream, protocol, message.to_vec(), answered_after.is_some());
        self.0.lock().unwrap().push((shown, client));
    }
}

impl Recorder {
    /// What was shown since the last look.
    fn take(&self) -> Vec<(Shown, Client)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A context with somebody who looks on.
fn tapped() -> (Context, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    (Context { wiretap: Some(Arc::clone(&recorder) as _), ..context() }, recorder)
}

#[tokio::test]
async fn questions_and_answers_are_shown_as_they_are_on_the_wire() {
    let (context, recorder) = tapped();
    let (listener, socket, address) = both().await;
    tokio::spawn(answer_datagrams(socket, |question, _| vec![good(question)]));
    tokio::spawn(accept(listener, |stream, _| serve_well(stream), <_>::default()));
    for (protocol, label) in [(Protocol::Udp, "udp"), (Protocol::Tcp, "tcp"), (Protocol::AsAsked, "udp")] {
        let asked = query(&context, "n7.example");
        upstream(&context, address, protocol).ask(&asked, soon()).await.unwrap();
        let shown = recorder.take();
        let [((to, over, question, false), client), ((from, back, answer, true), other)] = &shown[..] else {
            panic!("a question and its answer: {shown:?}")
        };
        assert_eq!((*to, *over, *from, *back), (address, label, address, label));
        assert_eq!((*client, *other), (asked.client, asked.client));
        let read = contract::wire::Question::parse(question).unwrap();
        assert_eq!((read.rtype, read.edns.is_some()), (asked.rtype, true));
        assert_eq!(*answer, good(question), "to the octet, the id too");
    }
}

#[tokio::test]
async fn a_truncated_reply_and_the_whole_one_are_both_shown() {
    let (context, recorder) = tapped();
    let (listener, socket, address) = both().await;
    tokio::spawn(answer_datagrams(socket, |question, _| vec![reply(question, Flags::TC, Rcode::SERVFAIL)]));
    tokio::spawn(accept(listener, |stream, _| serve_well(stream), <_>::default()));
    upstream(&context, address, Protocol::Udp).ask(&query(&context, "n7.example"), soon()).await.unwrap();
    let shown: Vec<_> = recorder.take().into_iter().map(|((_, over, _, is_answer), _)| (over, is_answer)).collect();
    assert_eq!(shown, [("udp", false), ("udp", true), ("tcp", false), ("tcp", true)]);
}

#[tokio::test(start_paused = true)]
async fn checks_of_health_are_nobodys_and_not_shown() {
    let (context, recorder) = tapped();
    let silent = udp(|_, _| vec![]).await;
    let group = sequential(&context, &Protocol::Udp, &[silent]);
    let running = tokio::spawn(group.run());
    group.exchange(&query(&context, "n1.example")).await.unwrap_err();
    while group.up() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let shown = recorder.take();
    assert!(!shown.is_empty() && shown.iter().all(|((_, _, message, _), _)| message[HEADER..].starts_with(b"\x02n1")));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn each_attempt_tells_whom_it_asked_and_what_came_of_it() {
    let context = context();
    let (dead, well) = (refusing().await, udp(|question, _| vec![good(question)]).await);
    let (asked, story) = told(&context, "n1.example");
    sequential(&context, &Protocol::Udp, &[dead, well]).exchange(&asked).await.unwrap();
    let told_steps = steps(&story);
    let [What::Asked { upstream, protocol: "udp", hedge: false, outcome: Err(why) }, second] = &told_steps[..] else {
        panic!("two attempts: {told_steps:?}")
    };
    assert!(*upstream == dead && why.contains("cannot be reached"), "{why}");
    assert_eq!(*second, What::Asked { upstream: well, protocol: "udp", hedge: false, outcome: Ok(Rcode::NOERROR) });

    let (address, _) = tcp(|stream, _| serve_well(stream)).await;
    let (asked, story) = told(&context, "n2.example");
    let asked = Query { client: Client { transport: Transport::Tcp, ..asked.client }, ..asked };
    sequential(&context, &Protocol::AsAsked, &[address]).exchange(&asked).await.unwrap();
    let over_tcp = What::Asked { upstream: address, protocol: "tcp", hedge: false, outcome: Ok(Rcode::NOERROR) };
    assert_eq!(steps(&story), [over_tcp]);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_says_that_it_is_one_and_a_timeout_how_long_it_took() {
    let context = context();
    let (silent, well) = (udp(|_, _| vec![]).await, udp(|question, _| vec![good(question)]).await);
    let (asked, story) = told(&context, "n1.example");
    let group = sequential(&context, &Protocol::Udp, &[silent, well]);
    for _ in 0..20 {
        // hedges are a share of the questions
        sequential(&context, &Protocol::Udp, &[well]).exchange(&query(&context, "n2.example")).await.unwrap();
    }
    group.exchange(&asked).await.unwrap();
    let hedged = What::Asked { upstream: well, protocol: "udp", hedge: true, outcome: Ok(Rcode::NOERROR) };
    assert_eq!(steps(&story), [hedged], "whoever is overtaken has not ended");

    let (asked, story) = told(&context, "n1.example");
    sequential(&context, &Protocol::Udp, &[silent]).exchange(&asked).await.unwrap_err();
    let (steps, _) = story.steps();
    assert!(!steps.is_empty());
    for step in steps {
        let What::Asked { outcome: Err(why), .. } = &step.what else { panic!("{step:?}") };
        assert!(why.contains("did not answer within") && step.took >= Duration::from_millis(1_000), "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reached_bound_and_all_down_are_told_where_nobody_is_asked() {
    let context = context();
    let well = udp(|question, _| vec![good(question)]).await;
    let rate = Some(Rate { per_second: 1, burst: 1 });
    let rated = Upstream::new(well, Protocol::Udp, &Settings { rate, ..Settings::of("privatezone") }, &context);
    let (asked, story) = told(&context, "n1.example");
    // a refresh does not wait for its turn
    let looks = [query(&context, "n2.example"), asked].map(|query| Query { refresh: true, ..query });
    rated.ask(&looks[0], soon()).await.unwrap();
    let group = Group::new(vec![rated], GroupSettings::default(), &context);
    let failure = group.exchange(&looks[1]).await.unwrap_err();
    assert_eq!(failure, Failure::Bound { bound: Bound::UpstreamRate, most: Some(1), upstream: Some(well) });
    let told_steps = steps(&story);
    let [What::Plugin { name: "privatezone", text }] = &told_steps[..] else { panic!("{told_steps:?}") };
    assert!(text.starts_with(&format!("{well} is not asked: ")) && text.contains("max_qps"), "{text}");

    let settings = GroupSettings { failfast: true, ..GroupSettings::default() };
    let silent = udp(|_, _| vec![]).await;
    let group = Group::new(vec![upstream(&context, silent, Protocol::Udp)], settings, &context);
    let running = tokio::spawn(group.run());
    group.exchange(&query(&context, "n1.example")).await.unwrap_err();
    while group.up() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (asked, story) = told(&context, "n1.example");
    group.exchange(&asked).await.unwrap_err();
    let told_steps = steps(&story);
    let [What::Plugin { name: "forward", text }] = &told_steps[..] else { panic!("{told_steps:?}") };
    assert!(text.starts_with(&format!("all 1 upstreams are down, {silent} for 6")), "{text}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_group_says_how_its_upstreams_stand() {
    let context = context();
    let (silent, well) = (udp(|_, _| vec![]).await, udp(|question, _| vec![good(question)]).await);
    let upstreams = vec![upstream(&context, silent, Protocol::Udp), upstream(&context, well, Protocol::AsAsked)];
    let settings = GroupSettings { policy: Policy::Sequential, ..GroupSettings::default() };
    let group = Group::new(upstreams, settings, &context);
    let fresh = group.standings("forward", "example.");
    assert!(fresh.iter().all(|one| one.is_up && one.since.is_none() && one.last_failure.is_none()), "{fresh:?}");
    assert!(fresh.iter().all(|one| one.round_trip.is_none() && one.outstanding == 0), "{fresh:?}");

    let running = tokio::spawn(group.run());
    group.exchange(&query(&context, "n1.example")).await.unwrap();
    let alone = group.upstreams()[0].ask(&query(&context, "n1.example"), soon()).await;
    assert!(alone.is_err());
    group.exchange(&query(&context, "n2.example")).await.unwrap();
    while group.up() > 1 {
        group.exchange(&query(&context, "n3.example")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let [ill, good] = &group.standings("forward", "example.")[..] else { panic!("two upstreams") };
    assert_eq!((ill.address, ill.protocol, ill.plugin, ill.zones.as_str()), (silent, "udp", "forward", "example."));
    assert!(!ill.is_up && ill.since.is_some_and(|since| since >= Duration::from_secs(5)), "{ill:?}");
    assert!(matches!(ill.last_failure, Some(Failure::Timeout { upstream, .. }) if upstream == silent), "{ill:?}");
    assert_eq!((good.address, good.protocol, good.is_up, good.since), (well, "udp, tcp", true, None));
    assert!(good.round_trip.is_some() && good.last_failure.is_none(), "{good:?}");
    running.abort();
}
