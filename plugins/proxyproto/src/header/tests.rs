//! Headers whole, in parts, changed octet by octet.

use super::*;

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [BINARY, &[command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

const V4: [u8; ADDRESSES_V4] = [192, 0, 2, 7, 10, 0, 0, 10, 0x9d, 0x14, 0, 53];

fn v6() -> Vec<u8> {
    let [source, destination] = ["2001:db8::7", "fd00::a"].map(|ip| ip.parse::<Ipv6Addr>().unwrap().octets());
    [&source[..], &destination, &V4[8..]].concat()
}

fn told(source: &str, destination: &str) -> Option<Told> {
    Some(Told { source: source.parse().unwrap(), destination: destination.parse().unwrap() })
}

fn whole(octets: &[u8]) -> Header {
    match read_header(octets) {
        Ok(Seen::Header(header)) => header,
        other => panic!("{other:?}: {}", octets.escape_ascii()),
    }
}

#[test]
fn lines() {
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 10.0.0.10 40212 53\r\n", told("192.0.2.7:40212", "10.0.0.10:53")),
        ("PROXY TCP6 2001:db8::7 fd00::a 0 65535\r\n", told("[2001:db8::7]:0", "[fd00::a]:65535")),
        ("PROXY TCP6 ::ffff:192.0.2.7 fd00::a 1 2\r\n", told("192.0.2.7:1", "[fd00::a]:2")),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN whatever it says\r\n", None),
    ] {
        let with_message = [line.as_bytes(), b"\0\x05hello"].concat();
        let is_local = expected.is_none();
        let expected = Header { length: line.len(), told: expected, is_of_datagram: false, is_local, is_line: true };
        assert_eq!(whole(&with_message), expected);
        for end in 0..line.len() {
            assert_eq!(read_header(&line.as_bytes()[..end]), Ok(Seen::Part), "{end} of {line}");
        }
    }
    for wrong in [
        "PROXYTCP4 192.0.2.7 10.0.0.10 40212 53\r\n",
        "PROXY\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.10 40212 53\n",
        "PROXY TCP4 192.0.2.7 10.0.0.10 40212 53 \r\n",
        "PROXY TCP4  192.0.2.7 10.0.0.10 40212 53\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.10 040212 53\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.10 65536 53\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.10 +1 53\r\n",
        "PROXY TCP4 192.0.2.07 10.0.0.10 1 53\r\n",
        "PROXY TCP4 fd00::7 fd00::a 1 53\r\n",
        "PROXY TCP6 192.0.2.7 10.0.0.10 1 53\r\n",
        "PROXY TCP6 fe80::1%eth0 fd00::a 1 53\r\n",
        "PROXY UDP4 192.0.2.7 10.0.0.10 1 53\r\n",
    ] {
        assert_eq!(read_header(wrong.as_bytes()), Err(Wrong::Line), "{wrong}");
    }
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LINE_MAX - 16));
    assert_eq!(whole(longest.as_bytes()).length, LINE_MAX);
    assert_eq!(read_header(longest.replace('\r', "f\r").as_bytes()), Err(Wrong::LongLine));
}

#[test]
fn binary_headers() {
    let (v4, v6) = (told("192.0.2.7:40212", "10.0.0.10:53"), told("[2001:db8::7]:40212", "[fd00::a]:53"));
    let with_more = [&V4[..], b"\x04\0\x02hi"].concat();
    for (command, family, rest, told, is_of_datagram) in [
        (0x21, 0x11, V4.to_vec(), v4, false),
        (0x21, 0x12, V4.to_vec(), v4, true),
        (0x21, 0x12, with_more, v4, true),
        (0x21, 0x21, self::v6(), v6, false),
        (0x21, 0x22, self::v6(), v6, true),
        (0x21, 0x31, vec![b'/'; ADDRESSES_UNIX], None, false),
        (0x21, 0x32, vec![b'/'; ADDRESSES_UNIX], None, false),
        (0x20, 0x00, vec![], None, false),
        (0x20, 0x00, vec![1; 20], None, false),
        (0x20, 0x11, vec![], None, false),
        (0x20, 0x12, V4.to_vec(), None, true),
        (0x21, 0x12, [&V4[..], &[0; PROXY_REST_MAX - ADDRESSES_V4]].concat(), v4, true),
    ] {
        let header = binary(command, family, &rest);
        let is_local = command == 0x20;
        let expected = Header { length: header.len(), told, is_of_datagram, is_local, is_line: false };
        assert_eq!(whole(&[&header[..], b"a message"].concat()), expected);
        for end in (0..header.len()).step_by(1 + header.len() / 300) {
            assert_eq!(read_header(&header[..end]), Ok(Seen::Part), "{end} of {command:#x} {family:#x}");
        }
    }
    for (command, family, rest, wrong) in [
        (0x22, 0x11, V4.to_vec(), Wrong::Command),
        (0x11, 0x11, V4.to_vec(), Wrong::Command),
        (0x21, 0x13, V4.to_vec(), Wrong::Family),
        (0x21, 0x41, V4.to_vec(), Wrong::Family),
        (0x20, 0x13, V4.to_vec(), Wrong::Family),
        (0x21, 0x00, vec![], Wrong::Family),
        (0x21, 0x11, V4[..11].to_vec(), Wrong::Length),
        (0x21, 0x22, V4.to_vec(), Wrong::Length),
        (0x21, 0x31, V4.to_vec(), Wrong::Length),
        (0x20, 0x00, vec![0; PROXY_REST_MAX + 1], Wrong::Length),
    ] {
        assert_eq!(read_header(&binary(command, family, &rest)), Err(wrong), "{command:#x} {family:#x}");
    }
}

#[test]
fn what_is_no_header_is_told_at_the_first_octet_that_says_so() {
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01";
    for octets in [&question[..], b"\0\x1d", b"PROXI", b"PS", b"\r\n\r\n\r", b"\x16\x03\x01", b"QUIT"] {
        assert_eq!(read_header(octets), Ok(Seen::Nothing), "{}", octets.escape_ascii());
    }
    assert_eq!(read_header(b""), Ok(Seen::Part));
}

#[test]
fn no_change_of_an_octet_makes_more_of_a_header_than_there_is() {
    let headers = [
        b"PROXY TCP4 192.0.2.7 10.0.0.10 40212 53\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(0x21, 0x12, &V4),
        binary(0x21, 0x21, &v6()),
        binary(0x20, 0x00, b"more"),
    ];
    for header in headers {
        for at in 0..header.len() {
            for octet in 0..=u8::MAX {
                let mut changed = header.clone();
                changed[at] = octet;
                if let Ok(Seen::Header(read)) = read_header(&changed) {
                    assert!(read.length <= changed.len(), "{}", changed.escape_ascii());
                }
            }
        }
    }
}
