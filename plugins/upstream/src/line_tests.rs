//! Who leaves when, where messages have to wait.

use super::*;

fn line(per_second: u32, burst: u32) -> Line {
    Line::new(Rate { per_second, burst }, "dns", &Metrics::default())
}

fn free() -> impl FnMut() -> Result<(), Refusal> + Send {
    || Ok(())
}

fn join(line: &Line, until: Instant) -> Result<Turn<'_>, Refusal> {
    line.join(until, Instant::now(), &mut free())
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
    assert!(!line.spare(now));
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
