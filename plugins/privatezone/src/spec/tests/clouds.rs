//! Resolvers of clouds, asked as they do not like it, and as they do.

use super::read;
use super::wrong::says;

#[test]
fn a_clouds_resolver_asked_over_tcp_is_a_warning() {
    let tcp = "clouds limit connections to port 53, or count each of their packets; write `transport udp`";
    let aws = "it takes 1024 packets a second of a network interface, and TCP needs several for a question";
    for (lines, wanted, parts) in [
        (
            "to 100.100.2.136\nmax_qps 5\ntransport tcp",
            "3:4: warning: the resolver of Alibaba Cloud, 100.100.2.136, is asked over TCP",
            &[tcp] as &[&str],
        ),
        (
            "to 10.0.0.1 100.100.2.138 {\ntransport tcp\nmax_qps 5\n}",
            "3:13: warning: the resolver of Alibaba Cloud, 100.100.2.138, is asked over TCP",
            &[tcp],
        ),
        (
            "to 169.254.169.253\nmax_qps 5\ntransport tcp",
            "3:4: warning: the resolver of AWS, 169.254.169.253, is asked over TCP",
            &[aws],
        ),
        (
            "to [fd00:ec2::253]:53\nmax_qps 5\ntransport tls",
            "3:4: warning: the resolver of AWS, fd00:ec2::253, is asked over TLS",
            &[aws],
        ),
        (
            "to 168.63.129.16\nmax_qps 5\ntransport tcp",
            "3:4: warning: the resolver of Azure, 168.63.129.16, is asked over TCP",
            &[tcp],
        ),
        (
            "to 169.254.169.254\nmax_qps 5\ntransport tcp",
            "3:4: warning: the resolver of Google Cloud, 169.254.169.254, is asked over TCP",
            &[tcp],
        ),
    ] {
        let (spec, report) = read(lines);
        assert!(spec.is_some() && report.warnings() == 1, "{lines}\n{report}");
        says(&report.to_string(), lines, wanted, parts);
    }
}

#[test]
fn what_is_as_a_cloud_likes_it_is_no_warning() {
    for lines in [
        "to 169.254.169.253\nmax_qps 512",
        "to 168.63.129.16\nmax_qps 500\ntransport udp",
        "to 169.254.169.254\nmax_qps 0",
        "to 10.0.0.53\nmax_qps 100000\ntransport tcp",
        "to 169.254.169.253 {\ntransport udp\n}\nto 10.0.0.53\ntransport tcp\nmax_qps 100",
    ] {
        let (spec, report) = read(lines);
        assert!(spec.is_some() && report.to_string().is_empty(), "{lines}\n{report}");
    }
}
