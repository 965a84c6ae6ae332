//! The whole demo, with the daemon in the middle.

use super::*;

#[test]
fn eight_questions_become_two() {
    // given the stage as it is shown
    let stage = Stage::build().unwrap();
    let files = stage.scratch.path().to_owned();
    assert!(files.join("pods").is_file());
    // when the pods ask
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(stage.measure()).unwrap();
    // then all of them find the name
    found(&figures).unwrap();
    let counted = |course: &Course| {
        [&course.first, &course.again, &course.neighbour].map(|one| (one.lookup.questions(), one.to_centre))
    };
    // the centre is asked as much as the pod asks, once
    assert_eq!(counted(&figures.plain), [(8, 8), (8, 0), (8, 0)]);
    // with AutoPath the pods ask a quarter, and what one search list was told is told to its neighbours
    let [first, again, neighbour] = counted(&figures.autopath);
    assert_eq!((first.0, again, neighbour), (2, (2, 0), (2, 0)));
    assert!((2..=8).contains(&first.1), "{first:?}");
    let Outcome::Found { canonical, .. } = figures.autopath.first.lookup.outcome() else { unreachable!("found above") };
    assert_eq!(canonical.as_deref(), Some(zones::OUTSIDE));
    // and nothing is left behind
    stage.clear();
    assert!(!files.exists());
}
