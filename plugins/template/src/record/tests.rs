//! Texts and the records that they are, or why they are none.

use contract::wire::{Class, RecordType};

use super::Rr;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn head_and_data_are_read_as_zone_files_have_them() {
    let name = "0161" /* a */;
    for (text, ttl, class, rtype, data) in [
        ("a. 60 IN A 192.0.2.1", 60, 1, 1, "c0000201".to_owned()),
        ("a IN 60 A 192.0.2.1", 60, 1, 1, "c0000201".to_owned()),
        ("a A 192.0.2.1 ; a comment", 3_600, 1, 1, "c0000201".to_owned()),
        ("\n\na.\t1h30m in a 192.0.2.1\nwhat follows is not read", 5_400, 1, 1, "c0000201".to_owned()),
        ("a CH AAAA ::1", 3_600, 3, 28, format!("{}01", "00".repeat(15))),
        ("a 60 CLASS4 TYPE1 192.0.2.1", 60, 4, 1, "c0000201".to_owned()),
        ("a CNAME a.b", 3_600, 1, 5, format!("{name}016200")),
        ("a CNAME @", 3_600, 1, 5, "00".to_owned()),
        ("a CNAME .", 3_600, 1, 5, "00".to_owned()),
        (r"a PTR \097\.x.b.", 3_600, 1, 12, "03612e78016200".to_owned()),
        ("a DNAME b.", 3_600, 1, 39, "016200".to_owned()),
        ("a MX 10 a", 3_600, 1, 15, format!("000a{name}00")),
        ("a SRV 1 2 53 a.", 3_600, 1, 33, format!("000100020035{name}00")),
        ("a RP a b", 3_600, 1, 17, format!("{name}00016200")),
        ("a SOA a b (1 1m 1h\n 1d 1w)", 3_600, 1, 6, format!("{name}00016200000000010000003c00000e100001518000093a80")),
        (r#"a TXT "b c" d "" "\"\059""#, 3_600, 1, 16, "03622063016400 02223b".replace(' ', "")),
        ("a HINFO \"b c d\"", 3_600, 1, 13, "016203632064".to_owned()),
        ("a HINFO b", 3_600, 1, 13, "016200".to_owned()),
        (r#"a NAPTR 1 2 "u" "" "!^.*$!b!" ."#, 3_600, 1, 35, "000100020175000821 5e2e2a24216221 00".replace(' ', "")),
        ("a CAA 0 issue \"b\"", 3_600, 1, 257, "0005697373756562".to_owned()),
        ("a URI 1 2 \"b\"", 3_600, 1, 256, "0001000262".to_owned()),
        ("a DS 1 8 2 ab CD", 3_600, 1, 43, "00010802abcd".to_owned()),
        (r"a TYPE65280 \# 3 ab cdef", 3_600, 1, 65_280, "abcdef".to_owned()),
        (r"a A \# 4 c0000201", 3_600, 1, 1, "c0000201".to_owned()),
        ("a HTTPS 1 . alpn=\"h2\" ipv4hint=192.0.2.1", 3_600, 1, 65, "0001000001000302683200040004c0000201".to_owned()),
        ("a SVCB 0 a.", 3_600, 1, 64, format!("0000{name}00")),
        ("a TLSA 3 1 1 ab", 3_600, 1, 52, "030101ab".to_owned()),
        ("a SSHFP 1 1 ab", 3_600, 1, 44, "0101ab".to_owned()),
    ] {
        let record = Rr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((record.ttl, record.class, record.rtype), (ttl, Class(class), RecordType(rtype)), "{text}");
        assert_eq!(hex(&record.data), data, "{text}");
        assert_eq!(hex(&record.owner), "016100", "{text}");
    }
}

#[test]
fn names_keep_their_case_and_long_texts_are_cut() {
    let record = Rr::parse(r"Www.Example. 1 IN CNAME \065b.C").unwrap();
    assert_eq!(record.owner, b"\x03Www\x07Example\0");
    assert_eq!(record.data, b"\x02Ab\x01C\0");
    assert_eq!(record.target().unwrap().to_string(), "ab.c.");
    let record = Rr::parse(&format!("a TXT {}", "x".repeat(300))).unwrap();
    assert_eq!((record.data[0], record.data[256], record.data.len()), (255, 45, 302));
}

#[test]
fn what_is_no_record_says_why() {
    for (text, reason) in [
        ("", "there is no record"),
        ("; nothing", "there is no record"),
        (" 60 IN A 192.0.2.1", "begins with its owner"),
        ("$TTL 60", "`$TTL` is no owner"),
        ("\"a\" A 192.0.2.1", "`a` is no owner"),
        ("a", "the type is missing"),
        ("a 60 IN", "the type is missing"),
        ("a 60 IN B 1", "`B` is no TTL, class or type"),
        ("a 60 70 A 192.0.2.1", "`70` is no TTL, class or type"),
        ("a 4294967296 A 192.0.2.1", "`4294967296` is no TTL"),
        ("a A", "a A without data"),
        ("a A 192.0.2", "`192.0.2` is not an IPv4 address"),
        ("a A ::1", "`::1` is not an IPv4 address"),
        ("a AAAA 192.0.2.1", "`192.0.2.1` is not an IPv6 address"),
        ("a A 192.0.2.1 192.0.2.2", "`192.0.2.2` is too much for a A"),
        ("a..b A 192.0.2.1", "`a..b` is no name: a label is empty"),
        ("a CNAME \"b\"", "in quotes"),
        ("a MX 65536 b", "`65536` is not a number that fits"),
        ("a MX 10", "a name is missing in the data of a MX"),
        ("a SOA a b 1h 1 1 1 1", "`1h` is not a number"),
        ("a SOA a b 1 x 1 1 1", "`x` is not a time"),
        ("a SOA a b (1 1 1 1 1", "a `(` that is never closed"),
        ("a A 192.0.2.1)", "a `)` without `(`"),
        ("a TXT \"b", "a quote that is never closed"),
        (r"a TXT b\25", "is no escape"),
        (r"a TXT \256", "is no escape"),
        ("a NAPTR 1 2 u \"\" \"\" .", "`u` is not a text in quotes"),
        ("a DS 1 8 2 abc", "two digits of base 16"),
        (r"a TYPE65280 \# 2 ab", "1 octets where 2 are announced"),
        ("a TYPE65280 ab", "TYPE65280"),
        ("a HTTPS x .", "HTTPS"),
        ("a OPT x", "OPT"),
    ] {
        let said = Rr::parse(text).unwrap_err().to_string();
        assert!(said.contains(reason), "{text}: {said}");
    }
}
