//! The text holds the figures, fits a terminal, and is coloured only if asked.

use std::net::IpAddr;

use super::*;

fn step(name: &str, outcome: Outcome, took_us: u64) -> Step {
    Step { name: name.to_owned(), outcome, questions: 2, took: Duration::from_micros(took_us) }
}

fn found(canonical: Option<&str>) -> Outcome {
    let addresses: Vec<IpAddr> = vec!["192.0.2.80".parse().unwrap(), "2001:db8::80".parse().unwrap()];
    Outcome::Found { canonical: canonical.map(str::to_owned), addresses }
}

fn course(steps: &[Step], times_us: [u64; 3], to_centre: [u64; 3]) -> Course {
    let measured = |position: usize| Measured {
        lookup: Lookup { steps: steps.to_vec(), took: Duration::from_micros(times_us[position]) },
        to_centre: to_centre[position],
    };
    Course { first: measured(0), again: measured(1), neighbour: measured(2) }
}

fn sample() -> Figures {
    let walked = [
        step("www.example.com.shop.svc.cluster.local", Outcome::NoSuchName, 6_110),
        step("www.example.com.svc.cluster.local", Outcome::NoSuchName, 6_220),
        step("www.example.com.cluster.local", Outcome::NoSuchName, 6_330),
        step("www.example.com", found(None), 6_440),
    ];
    let one = [step("www.example.com.shop.svc.cluster.local", found(Some("www.example.com")), 12_550)];
    Figures {
        delay: Duration::from_millis(5),
        plain: course(&walked, [25_100, 610, 620], [8, 0, 0]),
        autopath: course(&one, [12_560, 140, 150], [7, 0, 0]),
    }
}

fn whole(paint: Paint) -> String {
    let hand =
        ByHand { plain: 65_534, autopath: 65_535, files: Path::new("/var/folders/tmp/nearpath-demo-4194304-99") };
    figures(&sample(), paint) + &by_hand(hand, paint) + &file("pods", &super::super::pods::table(), paint)
}

#[test]
fn the_figures_read_so() {
    let expected = "\
A pod asks for www.example.com

  pod cart-0, 127.0.0.11 --> nearpath on its node --> centre, 5 ms away
  search shop.svc.cluster.local svc.cluster.local cluster.local
  ndots 5

WITHOUT AUTOPATH  the pod walks its search list, A and AAAA at each step

  cart-0 -+-> www.example.com.shop.svc.cluster.local  NXDOMAIN    6.1 ms
          +-> www.example.com.svc.cluster.local       NXDOMAIN    6.2 ms
          +-> www.example.com.cluster.local           NXDOMAIN    6.3 ms
          '-> www.example.com                         found       6.4 ms
              = 192.0.2.80, 2001:db8::80

WITH AUTOPATH  the pod takes one step, nearpath walks the rest for it

  cart-0 ---> www.example.com.shop.svc.cluster.local  found      12.6 ms
              = www.example.com, 192.0.2.80, 2001:db8::80

                                           questions       questions
                                         pod to node  node to centre       time
  without AutoPath  first time                     8               8    25.1 ms
                    again                          8               0     0.6 ms
                    its neighbour cart-1           8               0     0.6 ms
  with AutoPath     first time                     2               7    12.6 ms
                    again                          2               0     0.1 ms
                    its neighbour cart-1           2               0     0.1 ms

  The pod asked 8 questions without AutoPath, 2 with it.
";
    assert_eq!(figures(&sample(), Paint::Plain), expected);
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for line in whole(Paint::Plain).lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let (plain, coloured) = (whole(Paint::Plain), whole(Paint::Colour));
    assert!(!plain.contains('\x1b'), "{plain}");
    assert_ne!(plain, coloured);
    let mut pieces = coloured.split('\x1b');
    let mut stripped = pieces.next().unwrap().to_owned();
    for piece in pieces {
        stripped.push_str(piece.split_once('m').unwrap().1);
    }
    assert_eq!(stripped, plain);
}

#[test]
fn what_to_type_names_pods_ports_and_files() {
    let hand = ByHand { plain: 5300, autopath: 5301, files: Path::new("/tmp/x") };
    let text = by_hand(hand, Paint::Plain);
    for line in [
        "  dig -b 127.0.0.11 @127.0.0.1 -p 5300 www.example.com.shop.svc.cluster.local\n",
        "  dig -b 127.0.0.11 @127.0.0.1 -p 5301 www.example.com.shop.svc.cluster.local\n",
        "  dig -b 127.0.0.13 @127.0.0.1 -p 5301 www.example.com.blog.svc.cluster.local\n",
        "  dig @127.0.0.1 -p 5301 www.example.com.shop.svc.cluster.local\n",
        "  /tmp/x/\n",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn a_file_is_shown_as_it_is_but_for_lines_too_wide() {
    let text = "block {\n    short line\n}\n";
    assert_eq!(file("Corefile", text, Paint::Plain), "\nCorefile\n  block {\n      short line\n  }\n");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let table = super::super::pods::table();
    let shown = file("pods", &table, Paint::Plain);
    let content = shown.strip_prefix("\npods  (long lines are folded here)\n").unwrap();
    assert_eq!(words(content), words(&table));
}

#[test]
fn a_walk_that_went_wrong_says_how() {
    let said = |outcome| said(&outcome).0;
    assert_eq!(said(Outcome::Failed(ResponseCode::ServFail)), "SERVFAIL");
    assert_eq!(said(Outcome::Failed(ResponseCode::Refused)), "REFUSED");
    assert_eq!(said(Outcome::Failed(ResponseCode::NotImp)), "RCODE 4");
    assert_eq!(said(Outcome::Unanswered), "no answer");
    assert_eq!(said(Outcome::NoData), "NODATA");
}
