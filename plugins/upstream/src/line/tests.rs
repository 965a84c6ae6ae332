//! Who leaves when, where messages have to wait.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn line(per_second: u32, burst: u32) -> Line {
    Line::new(Rate { per_second, burst }, "dns", &Metrics::default())
}

fn free() -> impl FnMut() -> Result<(), Refusal> + Send {
    || Ok(())
}

fn join(line: &Line, until: Instant) -> Result<Turn<'_>, Refusal> {
    line.join(None, until, Instant::now(), &mut free())
}

/// How many places somebody has who takes all that there are.
fn places_of<'l>(line: &'l Line, client: &str, until: Instant) -> Vec<Place<'l>> {
    let client = Some(client.parse().unwrap());
    let places = std::iter::from_fn(|| line.join(client, until, Instant::now(), &mut free()).ok());
    let waiting = |turn| if let Turn::Later(place) = turn { Some(place) } else { None };
    places.filter_map(waiting).collect()
}

fn place(line: &Line, until: Instant) -> Place<'_> {
    match join(line, until) {
        Ok(Turn::Later(place)) => place,
        Ok(Turn::Now) => panic!("nobody can leave now"),
        Err(refusal) => panic!("{refusal:?}"),
    }
}

async fn turn(place: Place<'_>) -> Result<(), Refusal> {
    place.turn(&mut free()).await
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(1_000)
}

#[tokio::test(start_paused = true)]
async fn who_came_first_leaves_first_and_who_goes_away_delays_nobody() {
    let line = line(10, 1);
    assert!(matches!(join(&line, Instant::now()), Ok(Turn::Now)));
    let (begun, mut order) = (Instant::now(), Vec::new());
    let places: Vec<_> = (0..30).map(|_| place(&line, far())).collect();
    let left = Mutex::new(&mut order);
    let goes = async |number: usize, place: Place<'_>| {
        let leaves = async {
            turn(place).await.unwrap();
            left.lock().unwrap().push(number);
        };
        let patience = Duration::from_millis(if number.is_multiple_of(3) { 50 } else { 1_000_000 });
        let _ = tokio::time::timeout(patience, leaves).await; // every third one gives up
    };
    let places = places.into_iter().enumerate();
    futures_util::future::join_all(places.map(|(number, place)| goes(number, place))).await;
    assert_eq!(line.state().queued, 0);
    assert_eq!(order, (0..30).filter(|number: &usize| !number.is_multiple_of(3)).collect::<Vec<_>>());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(2_000) && took <= Duration::from_millis(2_120), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn whose_turn_would_come_too_late_hears_it_at_once() {
    let line = line(10, 1);
    let now = Instant::now();
    assert!(matches!(join(&line, now), Ok(Turn::Now)));
    assert_eq!(join(&line, now).err(), Some(Refusal::Rate));
    let until = now + Duration::from_millis(250);
    let places = [place(&line, until), place(&line, until)];
    assert_eq!(join(&line, until).err(), Some(Refusal::Rate));
    assert!(!line.spare(false, now));
    assert!(line.wait(now) > Duration::from_millis(300));
    drop(places);
    assert!(line.wait(now) < Duration::from_millis(110));
    assert_eq!(now, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_check_goes_ahead_of_the_line() {
    let line = line(10, 1);
    let begun = Instant::now();
    assert!(matches!(join(&line, begun), Ok(Turn::Now)));
    let places: Vec<_> = (0..10).map(|_| place(&line, far())).collect();
    let all = futures_util::future::join_all(places.into_iter().map(turn));
    let check = async {
        line.urgent(&mut free()).await.unwrap();
        begun.elapsed()
    };
    let (left, took) = tokio::join!(all, check);
    assert!(left.iter().all(Result::is_ok));
    assert!(took <= Duration::from_millis(110), "{took:?}");
    assert!(begun.elapsed() >= Duration::from_millis(1_100));
    assert_eq!(line.state().urgent, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_has_more_than_a_quarter_of_the_line() {
    let line = line(100, 10);
    let until = Instant::now() + limits::UPSTREAM_TURN_WITHIN;
    let greedy = places_of(&line, "192.0.2.1", until);
    assert_eq!(greedy.len(), 37);
    let others = ["192.0.2.2", "2001:db8::1"].map(|client| places_of(&line, client, until));
    assert_eq!(others.each_ref().map(Vec::len), [37, 37]);
    assert!(matches!(join(&line, until), Ok(Turn::Later(_))), "what has begun goes on");
    drop(greedy);
    assert_eq!(line.state().shares.len(), 2);
    assert_eq!(places_of(&line, "192.0.2.1", until).len(), 37);
    drop(others);
    assert!(line.state().shares.is_empty() && line.state().queued == 0);
}

#[tokio::test(start_paused = true)]
async fn everybody_has_one_place_in_a_short_line() {
    let line = line(2, 1);
    let until = Instant::now() + limits::UPSTREAM_TURN_WITHIN;
    let first = places_of(&line, "192.0.2.1", until);
    let second = places_of(&line, "192.0.2.2", until);
    assert_eq!((first.len(), second.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_small_burst_does_not_cut_the_rate() {
    for (per_second, burst) in [(5_000, 1), (2_000, 3), (300, 1)] {
        let line = line(per_second, burst);
        let begun = Instant::now();
        let left = Mutex::new(Vec::new());
        let asks = async |number: u32| {
            tokio::time::sleep_until(begun + Duration::from_secs(3) * number / (4 * per_second)).await;
            let (now, until) = (Instant::now(), Instant::now() + limits::UPSTREAM_TURN_WITHIN);
            let leaves = match line.join(None, until, now, &mut free()) {
                Ok(Turn::Later(place)) => turn(place).await.is_ok(),
                found => found.is_ok(),
            };
            if leaves {
                left.lock().unwrap().push(Instant::now());
            }
        };
        futures_util::future::join_all((0..4 * per_second).map(asks)).await;
        let left = left.into_inner().unwrap();
        let within =
            |at: Instant| left.iter().filter(|one| **one >= at && **one - at <= Duration::from_secs(1)).count();
        let full = within(begun + Duration::from_secs(1));
        let most = left.iter().step_by(97).map(|at| within(*at)).max().unwrap();
        let (per_second, burst) = (per_second as usize, burst as usize);
        assert!(full >= per_second * 95 / 100, "{full} of {per_second}");
        assert!(most <= per_second + burst, "{most} of {per_second}");
    }
}

#[tokio::test(start_paused = true)]
async fn checks_take_half_at_most_and_the_line_has_the_rest() {
    for (per_second, burst) in [(1, 1), (2, 1), (2, 4), (10, 3)] {
        let line = line(per_second, burst);
        let (begun, until) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        let [checks, questions, again] = [const { AtomicU32::new(0) }; 3];
        let count = |counter: &AtomicU32| counter.fetch_add(1, Ordering::Relaxed) + 1;
        let checking = async || loop {
            line.urgent(&mut free()).await.unwrap();
            count(&checks);
            if line.spare(true, Instant::now()) {
                count(&again); // the repeat of a check
            }
        };
        let asking = async || loop {
            match join(&line, until).unwrap() {
                Turn::Now => {}
                Turn::Later(place) => turn(place).await.unwrap(),
            }
            count(&questions);
        };
        let all = async { tokio::join!(checking(), checking(), checking(), asking()) };
        let _ = tokio::time::timeout_at(begun + Duration::from_secs(40), all).await;
        let [checks, questions, again] = [checks, questions, again].map(AtomicU32::into_inner);
        let half = per_second * 20;
        assert!(checks + again <= half + burst && checks >= half * 9 / 10, "{per_second}, {burst}: {checks}, {again}");
        assert!(questions >= half * 9 / 10, "{per_second}, {burst}: {questions}");
    }
}
