//! What a pod's look-up costs: asked for the first time, again, and by the pod's neighbour. Everything is counted, nothing assumed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::centre::Centre;
use super::pods::{CART_0, CART_1, Pod};
use super::stub::{Lookup, Stub};
use super::zones::{OUTSIDE, SERVICE};

/// The look-ups of one node, in order.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// By [`CART_0`], which nobody has asked before.
    pub(super) first: Measured,
    /// By [`CART_0`] at once again.
    pub(super) again: Measured,
    /// By [`CART_1`], whose search list is the same.
    pub(super) neighbour: Measured,
}

/// One look-up and what the centre saw of it.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// The pod's side.
    pub(super) lookup: Lookup,
    /// Questions that the centre was asked meanwhile.
    pub(super) to_centre: u64,
}

impl Course {
    /// Asks the name server at `node`, which forwards to `centre` and has memorised nothing of [`OUTSIDE`].
    pub(super) async fn run(node: SocketAddr, centre: &Centre) -> io::Result<Self> {
        let stub = |pod: Pod| Stub { pod, server: node, attempt: Stub::ATTEMPT };
        // connections are made and code is loaded by a look-up that is not measured
        stub(CART_0).look_up(&format!("{SERVICE}.")).await?;
        Ok(Self {
            first: Measured::of(&stub(CART_0), centre).await?,
            again: Measured::of(&stub(CART_0), centre).await?,
            neighbour: Measured::of(&stub(CART_1), centre).await?,
        })
    }
}

impl Measured {
    async fn of(stub: &Stub, centre: &Centre) -> io::Result<Self> {
        let before = at_rest(centre).await;
        let lookup = stub.look_up(OUTSIDE).await?;
        Ok(Self { lookup, to_centre: at_rest(centre).await - before })
    }
}

/// Questions that the centre has had, once no more come: a node may ask on after it has answered, and that counts too.
async fn at_rest(centre: &Centre) -> u64 {
    const QUIET: u32 = 4;
    const LOOKS_MAX: u32 = 100;
    let pause = centre.delay().max(Duration::from_millis(5));
    let (mut seen, mut quiet) = (centre.questions(), 0);
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(pause).await;
        let now = centre.questions();
        quiet = if now == seen && centre.outstanding() == 0 { quiet + 1 } else { 0 };
        seen = now;
        if quiet == QUIET {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::stub::Outcome;

    #[tokio::test]
    async fn a_node_that_remembers_nothing_costs_the_centre_what_the_pod_asks() {
        // given a "node" that is the centre itself
        let centre = Centre::start(Duration::ZERO).unwrap();
        // when the pods look the name up
        let course = Course::run(centre.address(), &centre).await.unwrap();
        // then each look-up walks three search domains and the name itself, A and AAAA, and all of it is seen at the centre
        for measured in [&course.first, &course.again, &course.neighbour] {
            assert_eq!((measured.lookup.steps.len(), measured.lookup.questions(), measured.to_centre), (4, 8, 8));
            assert!(matches!(measured.lookup.outcome(), Outcome::Found { canonical: None, .. }), "{measured:?}");
        }
        // and the look-up that opens connections is not in these figures
        assert_eq!(centre.questions(), 2 + 3 * 8);
    }
}
