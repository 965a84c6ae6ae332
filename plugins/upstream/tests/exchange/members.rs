//! Groups whose members come and go while questions are under way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::{Context, Failure};
use futures_util::future::join_all;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use upstream::{Change, Group, GroupSettings, Policy, Protocol, Seat, Settings};

use crate::script::{
    Connections, address_in, context, counted, expected, good, query, read_frame, refusing, serve_well, tcp, udp,
    write_frame,
};

/// Longer than any test here should take.
const LONG: Duration = Duration::from_secs(20);
const MOVED: &str = "nearpath_forward_moved_total";

fn seats(near: &[SocketAddr], far: &[SocketAddr], protocol: &Protocol) -> Vec<Seat> {
    let seat = |address: &SocketAddr, near| Seat {
        address: *address,
        protocol: protocol.clone(),
        near,
        to: "@dns/resolver".to_owned(),
    };
    near.iter().map(|address| seat(address, true)).chain(far.iter().map(|address| seat(address, false))).collect()
}

/// Near ones all, over TCP.
pub(crate) fn set(group: &Group, context: &Context, members: &[SocketAddr]) -> Change {
    group.set(&seats(members, &[], &Protocol::Tcp), &Settings::of("forward"), &context.metrics)
}

pub(crate) fn following(context: &Context, policy: Policy) -> Group {
    Group::following(GroupSettings { policy, ..GroupSettings::default() }, context)
}

/// Who answers how many of so many questions, one after the other.
pub(crate) async fn askers(group: &Group, context: &Context, count: usize) -> HashMap<SocketAddr, usize> {
    let mut from = HashMap::new();
    for number in 0..count {
        let asked = query(context, &format!("n{number}.example"));
        let (answer, who) = group.exchange(&asked).await.unwrap();
        assert_eq!(address_in(&answer), expected(&asked));
        *from.entry(who).or_insert(0) += 1;
    }
    from
}

/// An upstream that reads questions and holds its replies until it is let.
#[derive(Clone)]
struct Holder {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    replies: Arc<Semaphore>,
    connections: Connections,
}

impl Holder {
    async fn new() -> Self {
        let (asked, replies) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (count, allowed) = (Arc::clone(&asked), Arc::clone(&replies));
        let (address, connections) = tcp(move |mut stream, _| {
            let (count, allowed) = (Arc::clone(&count), Arc::clone(&allowed));
            async move {
                let mut held = Vec::new();
                loop {
                    tokio::select! {
                        question = read_frame(&mut stream) => {
                            let Some(question) = question else { return };
                            count.fetch_add(1, Ordering::SeqCst);
                            held.push(question);
                        }
                        permit = allowed.acquire(), if !held.is_empty() => {
                            permit.unwrap().forget();
                            write_frame(&mut stream, &good(&held.remove(0))).await;
                        }
                    }
                }
            }
        })
        .await;
        Self { address, asked, replies, connections }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it holds so many questions.
    async fn holds(&self, count: usize) {
        let holding = async {
            while self.asked() < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, holding).await.unwrap_or_else(|_| panic!("{} of {count} questions came", self.asked()));
    }
}

#[tokio::test]
async fn who_comes_is_asked_and_who_stays_keeps_its_connection() {
    let context = context();
    let ((one, kept), (two, _)) =
        (tcp(|stream, _| serve_well(stream)).await, tcp(|stream, _| serve_well(stream)).await);
    let group = following(&context, Policy::RoundRobin);
    assert_eq!(set(&group, &context, &[one]), Change { came: vec![one], went: vec![] });
    assert_eq!(askers(&group, &context, 4).await, HashMap::from([(one, 4)]));
    assert_eq!(set(&group, &context, &[one, two, two]), Change { came: vec![two], went: vec![] });
    assert_eq!(askers(&group, &context, 10).await, HashMap::from([(one, 5), (two, 5)]));
    assert!(set(&group, &context, &[one, two]).is_empty());
    assert_eq!((kept.count(), group.upstreams().len(), group.up()), (1, 2, 2));
}

#[tokio::test]
async fn who_goes_is_not_asked_again_and_its_connections_end() {
    let context = context();
    let (ended, mut has_ended) = mpsc::unbounded_channel();
    let (one, connections) = tcp(move |stream, number| {
        let ended = ended.clone();
        async move {
            serve_well(stream).await;
            let _ = ended.send(number);
        }
    })
    .await;
    let (two, _) = tcp(|stream, _| serve_well(stream)).await;
    let group = following(&context, Policy::Sequential);
    set(&group, &context, &[one, two]);
    assert_eq!(askers(&group, &context, 3).await, HashMap::from([(one, 3)]));
    assert_eq!(set(&group, &context, &[two]), Change { came: vec![], went: vec![one] });
    assert_eq!(askers(&group, &context, 20).await, HashMap::from([(two, 20)]));
    // well before an idle connection would expire
    let closed = timeout(Duration::from_secs(8), has_ended.recv()).await;
    assert_eq!((closed, connections.count()), (Ok(Some(0)), 1));
    assert_eq!(counted(&context, MOVED), 0, "nothing was outstanding");
}

#[tokio::test]
async fn who_comes_back_is_asked_again_on_a_new_connection() {
    let context = context();
    let ((one, connections), (two, _)) =
        (tcp(|stream, _| serve_well(stream)).await, tcp(|stream, _| serve_well(stream)).await);
    let group = following(&context, Policy::Sequential);
    for members in [vec![one], vec![two], vec![one, two]] {
        set(&group, &context, &members);
        assert_eq!(askers(&group, &context, 3).await, HashMap::from([(members[0], 3)]));
    }
    assert_eq!(connections.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn outstanding_questions_are_asked_elsewhere_at_once() {
    let context = context();
    let (going, others) = (Holder::new().await, [Holder::new().await, Holder::new().await]);
    others.iter().for_each(|other| other.replies.add_permits(1_000));
    let group = following(&context, Policy::RoundRobin);
    set(&group, &context, &[going.address]);
    let asked: Vec<_> = (0..50).map(|number| query(&context, &format!("n{number}.example"))).collect();
    let (answers, ()) = tokio::join!(join_all(asked.iter().map(|asked| group.exchange(asked))), async {
        going.holds(50).await;
        assert_eq!(others[0].asked() + others[1].asked(), 0);
        set(&group, &context, &[others[0].address, others[1].address]);
    });
    for (asked, answer) in asked.iter().zip(answers) {
        let (answer, from) = answer.unwrap();
        assert_eq!(address_in(&answer), expected(asked));
        assert!(others.iter().any(|other| other.address == from));
    }
    assert_eq!((going.asked(), others[0].asked() + others[1].asked()), (50, 50), "each once here and once there");
    assert_eq!(counted(&context, MOVED), 50);
    assert_eq!(counted(&context, "nearpath_upstream_hedges_total"), 0, "no hedge was needed");
}

#[tokio::test]
async fn whoever_goes_may_still_be_the_first_to_answer() {
    let context = context();
    let (going, other) = (Holder::new().await, Holder::new().await);
    let group = following(&context, Policy::Sequential);
    set(&group, &context, &[going.address]);
    let asked = query(&context, "n7.example");
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        going.holds(1).await;
        set(&group, &context, &[other.address]);
        other.holds(1).await;
        going.replies.add_permits(1);
    });
    let (answer, from) = answer.unwrap();
    assert_eq!((address_in(&answer), from), (expected(&asked), going.address));
    assert_eq!((going.connections.count(), counted(&context, MOVED)), (1, 1));
}

#[tokio::test]
async fn whoever_has_gone_is_not_called_again() {
    let context = context();
    let (hang_up, may_hang_up) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (hung_up, asked) = (Arc::clone(&hang_up), Arc::clone(&may_hang_up));
    let (going, calls) = tcp(move |mut stream, _| {
        let (hung_up, asked) = (Arc::clone(&hung_up), Arc::clone(&asked));
        async move {
            read_frame(&mut stream).await;
            asked.fetch_add(1, Ordering::SeqCst);
            hung_up.acquire().await.unwrap().forget();
        }
    })
    .await;
    let other = Holder::new().await;
    let group = following(&context, Policy::Sequential);
    set(&group, &context, &[going]);
    let asked = query(&context, "n7.example");
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        while may_hang_up.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        set(&group, &context, &[other.address]);
        other.holds(1).await;
        hang_up.add_permits(2);
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.replies.add_permits(1);
    });
    assert_eq!((answer.unwrap().1, calls.count()), (other.address, 1));
}

#[tokio::test]
async fn a_question_moves_as_often_as_it_must_within_the_bound() {
    let context = context();
    let mut holders = Vec::new();
    for _ in 0..8 {
        holders.push(Holder::new().await);
    }
    holders[7].replies.add_permits(1);
    let settings = GroupSettings { max_attempts: Some(1), policy: Policy::Sequential, ..GroupSettings::default() };
    let group = Group::following(settings, &context);
    set(&group, &context, &[holders[0].address]);
    let asked = query(&context, "n7.example");
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        for (one, next) in holders.iter().zip(&holders[1..]) {
            one.holds(1).await;
            set(&group, &context, &[next.address]);
        }
    });
    assert_eq!(answer.unwrap().1, holders[7].address);
    assert_eq!(counted(&context, MOVED), 7, "a move is no attempt that failed");
}

#[tokio::test]
async fn with_nobody_a_question_waits_a_little_for_somebody() {
    let context = context();
    let (gone, late) = (Holder::new().await, Holder::new().await);
    late.replies.add_permits(10);
    let group = following(&context, Policy::Random);
    let asked = query(&context, "n7.example");
    // before anybody came
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        set(&group, &context, &[late.address]);
    });
    assert_eq!(answer.unwrap().1, late.address);
    // after everybody went
    set(&group, &context, &[gone.address]);
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        gone.holds(1).await;
        set(&group, &context, &[]);
        tokio::time::sleep(Duration::from_millis(20)).await;
        set(&group, &context, &[late.address]);
    });
    assert_eq!(answer.unwrap().1, late.address);
    set(&group, &context, &[]);
    assert!(!group.has_members());
    let failure = group.exchange(&query(&context, "n8.example")).await.unwrap_err();
    assert!(matches!(failure, Failure::NotReady { .. }), "{failure}");
}

#[tokio::test]
async fn near_ones_come_before_far_ones_whatever_the_policy() {
    let context = context();
    let mut addresses = Vec::new();
    for _ in 0..4 {
        addresses.push(tcp(|stream, _| serve_well(stream)).await.0);
    }
    let (near, far) = addresses.split_at(2);
    for policy in [Policy::Random, Policy::RoundRobin, Policy::Sequential] {
        let group = following(&context, policy);
        let settings = Settings::of("forward");
        let mut all = seats(near, far, &Protocol::Tcp);
        all.reverse();
        group.set(&all, &settings, &context.metrics);
        let from = askers(&group, &context, 60).await;
        assert_eq!(from.len(), if policy == Policy::Sequential { 1 } else { 2 }, "{policy:?}");
        assert!(from.keys().all(|who| near.contains(who)), "{policy:?}: {from:?}");

        group.set(&seats(&[refusing().await, refusing().await], far, &Protocol::Tcp), &settings, &context.metrics);
        let from = askers(&group, &context, 60).await;
        assert_eq!(from.len(), if policy == Policy::Sequential { 1 } else { 2 }, "{policy:?}");
        assert!(from.keys().all(|who| far.contains(who)), "{policy:?}: {from:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_one_that_refuses_costs_no_more_than_asking_the_next() {
    let context = context();
    let (well, _) = tcp(|stream, _| serve_well(stream)).await;
    let group = following(&context, Policy::Sequential);
    let caring = tokio::spawn(group.run());
    tokio::task::yield_now().await; // it runs before there are members
    set(&group, &context, &[refusing().await, well]);
    assert_eq!(askers(&group, &context, 20).await, HashMap::from([(well, 20)]));
    assert_eq!(counted(&context, "nearpath_upstream_hedges_total"), 0, "nobody waited for anything");
    let down = async {
        while group.up() == 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, down).await.expect("checks find it: they follow the members");
    caring.abort();
}

#[tokio::test]
async fn over_udp_members_come_and_go_as_well() {
    let context = context();
    let silent = udp(|_, _| vec![]).await;
    let well = udp(|question, _| vec![good(question)]).await;
    let group = following(&context, Policy::Sequential);
    let settings = Settings::of("forward");
    group.set(&seats(&[silent], &[], &Protocol::Udp), &settings, &context.metrics);
    let asked = query(&context, "n7.example");
    let (answer, ()) = tokio::join!(group.exchange(&asked), async {
        while group.upstreams()[0].outstanding() == 0 {
            tokio::task::yield_now().await;
        }
        group.set(&seats(&[well], &[], &Protocol::Udp), &settings, &context.metrics);
    });
    assert_eq!((answer.unwrap().1, counted(&context, MOVED)), (well, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_under_two_hundred_questions_at_once_lose_none() {
    const ASKERS: usize = 200;
    /// Questions of each, one after the other; the members change as often.
    const TURNS: usize = 50;
    /// An upstream that says nothing while it is no member.
    async fn fickle(is_member: Arc<AtomicUsize>, bit: usize) -> SocketAddr {
        let serve = move |mut stream: tokio::net::TcpStream, _| {
            let is_member = Arc::clone(&is_member);
            async move {
                while let Some(question) = read_frame(&mut stream).await {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    if is_member.load(Ordering::SeqCst) & bit != 0 {
                        write_frame(&mut stream, &good(&question)).await;
                    }
                }
            }
        };
        tcp(serve).await.0
    }
    let context = context();
    let members = Arc::new(AtomicUsize::new(0));
    let mut addresses = Vec::new();
    for number in 0..4 {
        addresses.push(fickle(Arc::clone(&members), 1 << number).await);
    }
    let group = Arc::new(following(&context, Policy::Random));
    let change = |number: usize| {
        let bits = 1 + (number * 7) % 15;
        members.store(bits, Ordering::SeqCst);
        let chosen: Vec<_> = (0..4).filter(|bit| bits >> bit & 1 == 1).map(|bit| addresses[bit]).collect();
        set(&group, &context, &chosen);
    };
    change(0);
    let caring = tokio::spawn(group.run());
    let answered = Arc::new(AtomicUsize::new(0));
    let askers = (0..ASKERS).map(|number| {
        let (group, context, answered) = (Arc::clone(&group), context.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            for turn in 0..TURNS {
                let asked = query(&context, &format!("n{}.example", number * TURNS + turn));
                let (answer, _) =
                    group.exchange(&asked).await.unwrap_or_else(|failure| panic!("{}: {failure}", asked.name));
                assert_eq!(address_in(&answer), expected(&asked));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let askers: Vec<_> = askers.collect();
    for number in 1..TURNS {
        tokio::time::sleep(Duration::from_millis(5)).await;
        // however slow the machine is: changes that outrun all answers leave a question nobody to ask
        while answered.load(Ordering::SeqCst) < ASKERS * number && !askers.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        change(number);
    }
    for asker in askers {
        timeout(LONG, asker).await.unwrap().unwrap();
    }
    assert!(counted(&context, MOVED) > 0, "none was outstanding when somebody left");
    caring.abort();
    let _ = caring.await; // a check may have been under way
    let last: usize = group.upstreams().iter().map(|upstream| upstream.outstanding()).sum();
    assert_eq!(last, 0);
}
