//! What all private zones of a file together send to an address, and to a cloud.

use super::{block, only, said};

/// A private zone in a block of its own, with these lines from line 3 of the block on.
fn with(zone: &str, lines: &str) -> String {
    block(zone, &format!("privatezone {{\n{lines}\n}}"))
}

const AWS: &str = "169.254.169.253";
const AWS_6: &str = "fd00:ec2::253";

#[test]
fn a_cloud_that_is_sent_more_in_a_second_than_it_takes_is_a_warning() {
    for (lines, wanted, part) in [
        (
            format!("to {AWS}\nmax_qps 1024"),
            "4:9: warning: AWS is sent up to 2048 messages in a second, and takes 1024 packets of a network interface per second",
            "leave in one second after a pause: 1024 + 1024 to 169.254.169.253:53, at Corefile:4:9",
        ),
        (
            format!("to {AWS}\nmax_qps 1000\nburst 25"),
            "4:9: warning: AWS is sent up to 1025 messages in a second, and takes 1024 packets of a network interface per second",
            "is lost there",
        ),
        // both of its addresses are one quota, and so are their ports
        (
            format!("to {AWS} {AWS_6}\nmax_qps 300"),
            "4:9: warning: AWS is sent up to 1200 messages in a second, and takes 1024 packets of a network interface per second",
            "300 + 300 to 169.254.169.253:53, at Corefile:4:9; 300 + 300 to [fd00:ec2::253]:53, at Corefile:4:9",
        ),
        (
            format!("to {AWS} {{\nmax_qps 300\n}}\nto {AWS}:5353 {{\nmax_qps 300\n}}"),
            "7:9: warning: AWS is sent up to 1200 messages in a second, and takes 1024 packets of a network interface per second",
            "300 + 300 to 169.254.169.253:5353, at Corefile:7:9",
        ),
        (
            "to 100.100.2.136 100.100.2.138\nmax_qps 2500\nburst 1".to_owned(),
            "4:9: warning: Alibaba Cloud is sent up to 5002 messages in a second, and takes 5000 questions of an instance per second",
            "",
        ),
    ] {
        only(&with("corp.example", &lines), wanted, part);
    }
}

#[test]
fn all_private_zones_of_a_file_are_looked_at_together() {
    let one = with("a.example", &format!("to {AWS}\nmax_qps 300"));
    let two = with("b.example", &format!("to {AWS_6}\nmax_qps 200\nburst 224"));
    assert_eq!(said(&(one.clone() + &two)), "", "1024 is what it takes");
    let three =
        with("c.example", "to 10.0.0.53\nmax_qps 9000") + &with("d.example", &format!("to {AWS}:54\nmax_qps 1"));
    only(
        &(one + &two + &three),
        "29:9: warning: AWS is sent up to 1026 messages in a second, and takes 1024 packets of a network interface per second",
        "300 + 300 to 169.254.169.253:53, at Corefile:4:9; 200 + 224 to [fd00:ec2::253]:53, at Corefile:12:9; 1 + 1 to",
    );
}

#[test]
fn the_same_figures_for_an_address_are_one_bound() {
    let same = |zone| with(zone, &format!("to {AWS}\nmax_qps 400\nburst 100"));
    assert_eq!(said(&(same("a.example") + &same("b.example") + &same("c.example"))), "");
    // however they are written
    let braces = with("d.example", &format!("to {AWS}:53 {{\nmax_qps 400\n}}\nmax_qps 7"));
    let outside = with("e.example", &format!("to {AWS}\nmax_qps 400\nburst 400"));
    assert_eq!(said(&(braces + &outside)), "");
}

#[test]
fn other_figures_for_the_same_address_are_a_warning() {
    let one = with("a.example", "to 10.0.0.53\nmax_qps 100");
    for (lines, told) in [
        ("to 10.0.0.53\nmax_qps 200", "200 a second and 200 at once"),
        ("to 10.0.0.53:53\nmax_qps 100\nburst 99", "100 a second and 99 at once"),
        ("to 10.0.0.53\nmax_qps 0", "none"),
    ] {
        let at = lines.lines().position(|line| line.starts_with("max_qps")).expect("it is there") + 11;
        let wanted = format!(
            "{at}:9: warning: 10.0.0.53:53 has another bound at Corefile:4:9: 100 a second and 100 at once, and here {told}"
        );
        only(&(one.clone() + &with("b.example", lines)), &wanted, "each is counted by itself");
    }
    // another port is another server; who says nothing is warned of it elsewhere
    for lines in ["to 10.0.0.53:54\nmax_qps 200", "to 10.0.0.54\nmax_qps 200", "to 10.0.0.53"] {
        assert_eq!(said(&(one.clone() + &with("b.example", lines))), "", "{lines}");
    }
}

#[test]
fn what_is_wrongly_written_or_has_no_bound_does_not_count() {
    for lines in [
        format!("to {AWS}\nmax_qps 0"),
        format!("to {AWS}"),
        format!("to {AWS} x\nmax_qps 100\nburst 0"),
        format!("to {AWS}\nmax_qps many"),
        "to 168.63.129.16 169.254.169.254 10.0.0.53\nmax_qps 100000".to_owned(),
    ] {
        assert_eq!(said(&with("corp.example", &lines)), "", "{lines}");
    }
}
