use super::*;
use proptest::prelude::*;

fn message<T: FromStr<Err = InvalidValue> + fmt::Debug>(text: &str) -> String {
    text.parse::<T>().expect_err(text).to_string()
}

fn survives<T: FromStr<Err = InvalidValue> + fmt::Display + PartialEq + fmt::Debug>(
    text: &str,
) -> Result<(), TestCaseError> {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        prop_assert_eq!(
            printed.parse::<T>().map_err(|error| TestCaseError::fail(error.0))?,
            value,
            "{} -> {}",
            text,
            printed
        );
    }
    Ok(())
}

#[test]
fn durations_have_units_and_parts() {
    let millis = |text: &str| text.parse::<Duration>().unwrap().get().as_millis();
    assert_eq!(millis("0"), 0);
    assert_eq!(millis("250ms"), 250);
    assert_eq!(millis("1m30s"), 90_000);
    assert_eq!(millis("0.5s"), 500);
    assert_eq!(millis("1.5h"), 5_400_000);
    for wrong in ["", "5", "s", "5 s", "-1s", ".5s", "5.s", "1.2.3s", "1us", "1e3s", "99999999999999999999d"]
    {
        assert!(message::<Duration>(wrong).contains("is not a duration"), "{wrong}");
    }
    assert_eq!(message::<Duration>("0.1ms"), "`0.1ms` is shorter than a millisecond");
}

#[test]
fn sizes_have_units() {
    assert_eq!("64KiB".parse::<Size>().unwrap().get(), 65_536);
    assert_eq!("1MB".parse::<Size>().unwrap().get(), 1_000_000);
    assert_eq!("0".parse::<Size>().unwrap().get(), 0);
    for wrong in ["", "64", "64K", "64 KiB", "+1KiB", "-1B", "1.5MiB", "99999999999999999999GiB"] {
        assert!(message::<Size>(wrong).contains("is not a size"), "{wrong}");
    }
}

#[test]
fn the_number_zero_is_a_duration_and_a_size_and_others_are_explained() {
    assert_eq!(serde_json::from_str::<Duration>("0").unwrap(), Duration::ZERO);
    assert_eq!(serde_json::from_str::<Size>("0").unwrap(), Size::bytes(0));
    assert!(
        serde_json::from_str::<Duration>("30").unwrap_err().to_string().contains("`30` is not a duration")
    );
    assert!(serde_json::from_str::<HeaderName>("30").is_err());
}

#[test]
fn percentages_are_exact_to_four_decimals() {
    let millionths = |text: &str| serde_json::from_str::<Percent>(text).map(Percent::millionths).ok();
    assert_eq!(millionths("0.0001"), Some(1));
    assert_eq!(millionths("12.5"), Some(125_000));
    assert_eq!(millionths("100"), Some(1_000_000));
    assert_eq!(millionths("0"), Some(0));
    for wrong in ["0.00001", "-1", "100.1", "\"10\""] {
        assert_eq!(millionths(wrong), None, "{wrong}");
    }
}

#[test]
fn address_blocks_lose_their_host_bits_and_mapped_ones_are_ipv4() {
    assert_eq!("10.1.2.3/8".parse::<Cidr>().unwrap().to_string(), "10.0.0.0/8");
    assert_eq!("10.1.2.3".parse::<Cidr>().unwrap().to_string(), "10.1.2.3/32");
    let mapped: Cidr = "::ffff:10.0.0.0/104".parse().unwrap();
    assert_eq!(mapped.to_string(), "10.0.0.0/8");
    assert!(mapped.contains("::ffff:10.9.9.9".parse().unwrap()));
    assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("1.2.3.4".parse().unwrap()));
    assert!(!"0.0.0.0/0".parse::<Cidr>().unwrap().contains("fd00::1".parse().unwrap()));
    for wrong in ["10.0.0.0/33", "10.0.0/8", "host/8", "10.0.0.0/+8", "10.0.0.0/"] {
        assert!(message::<Cidr>(wrong).contains("is not an address block"), "{wrong}");
    }
}

#[test]
fn endpoints_are_addresses_or_names_with_ports() {
    assert_eq!(
        "Reviews.Example.com:80".parse::<EndpointAddress>().unwrap(),
        EndpointAddress::Name("reviews.example.com".into(), 80)
    );
    assert!(matches!("[::1]:80".parse::<EndpointAddress>().unwrap(), EndpointAddress::Socket(_)));
    for wrong in
        ["reviews", "reviews:0", "1.2.3:80", "http://a:80", "a:+80", ":80", "a..b:80", "::1:80", "10.0.0.1:0"]
    {
        assert!(wrong.parse::<EndpointAddress>().is_err(), "{wrong}");
    }
}

#[test]
fn host_patterns_have_seven_forms() {
    let host = |text: &str| text.parse::<HostPattern>().unwrap();
    assert_eq!(host("Shop.Example.com."), HostPattern::Exact("shop.example.com".into()));
    assert_eq!(host("*.example.com"), HostPattern::Suffix(".example.com".into()));
    assert_eq!(host("?.example.com"), HostPattern::OneLabel(".example.com".into()));
    assert_eq!(host("*-shop.example.com"), HostPattern::Suffix("-shop.example.com".into()));
    assert_eq!(host("shop.*"), HostPattern::Prefix("shop.".into()));
    assert_eq!(host("~^v[0-9]+$").to_string(), "~^v[0-9]+$");
    assert_eq!(host("*"), HostPattern::Any);
    assert_eq!(host("[::1]"), HostPattern::Exact("[::1]".into()));
    for wrong in ["", "*.", "**", "*.a.*", "a b", "a/b", "https://a", "~(", "a..b", "é.example.com"] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
    }
    assert!(message::<HostPattern>("shop.example.com:8080").contains("carries a port"));
}

#[test]
fn regexes_are_re2_and_bounded() {
    assert!("^/v[0-9]+/(.*)$".parse::<Regex>().is_ok());
    assert!("[(?=]".parse::<Regex>().is_ok());
    assert!(message::<Regex>("(?=a)").contains("look-around"), "{}", message::<Regex>("(?=a)"));
    assert!(message::<Regex>(r"(a)\1").contains("backreferences"));
    assert_eq!(message::<Regex>("("), "`(` is not a regular expression: unclosed group");
    assert!(
        message::<Regex>("(a{1000}){1000}").contains("compiled"),
        "{}",
        message::<Regex>("(a{1000}){1000}")
    );
    assert!(message::<Regex>(&"a".repeat(5000)).contains("5000 bytes"));
}

proptest! {
    #[test]
    fn what_prints_reads_as_the_same(
        duration in "([0-9]{1,6}(\\.[0-9]{1,4})?(ms|s|m|h|d)){1,4}|0",
        size in "[0-9]{1,10}(B|KiB|MiB|GiB|KB|MB|GB)",
        v4 in any::<u32>(), v6 in any::<u128>(), length in 0_u8..=128,
        host in "(\\*|\\?\\.|~)?[a-zA-Z0-9.:_\\[\\]-]{0,20}(\\*|\\.)?",
        endpoint in "[a-z0-9._-]{1,12}(:[0-9]{1,6})?",
        header in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}",
        percent in 0_u32..=1_000_000,
        text in "\\PC{0,20}",
    ) {
        survives::<Duration>(&duration)?;
        survives::<Size>(&size)?;
        survives::<Cidr>(&format!("{}/{length}", std::net::Ipv4Addr::from(v4)))?;
        survives::<Cidr>(&format!("{}/{length}", std::net::Ipv6Addr::from(v6)))?;
        survives::<HostPattern>(&host)?;
        survives::<EndpointAddress>(&endpoint)?;
        survives::<HeaderName>(&header)?;
        survives::<Regex>(&text)?;
        survives::<HostPattern>(&text)?;
        survives::<Duration>(&text)?;
        let percent = Percent::from_percent(f64::from(percent) / 10_000.0).unwrap();
        let printed = serde_json::to_string(&percent).unwrap();
        prop_assert_eq!(serde_json::from_str::<Percent>(&printed).unwrap(), percent);
    }

    #[test]
    fn schema_patterns_agree_with_the_parsers(text in "[0-9.]{0,4}(ms|s|KiB|B|m|x)?[0-9]{0,2}(s|h)?") {
        let schema = |value: schemars::Schema| jsonschema::validator_for(value.as_value()).unwrap();
        let json = serde_json::Value::from(text.clone());
        let mut generator = schemars::SchemaGenerator::default();
        let duration = schema(<Duration as schemars::JsonSchema>::json_schema(&mut generator));
        let size = schema(<Size as schemars::JsonSchema>::json_schema(&mut generator));
        if text != "0ms" {
            let parsed = text.parse::<Duration>();
            let short = parsed.as_ref().is_err_and(|error| error.0.contains("shorter"));
            prop_assert_eq!(duration.is_valid(&json), parsed.is_ok() || short, "{}", text);
        }
        prop_assert_eq!(size.is_valid(&json), text.parse::<Size>().is_ok(), "{}", text);
    }
}
