use super::*;
use proptest::prelude::*;

fn error(text: &str) -> (String, Option<String>) {
    let error = text.parse::<Template>().expect_err(text);
    (error.message, error.suggestion)
}

#[test]
fn variables_arguments_and_lengths_are_read() {
    let template: Template = "a %REQ(X-User?:authority):10% 100%% %PROTOCOL%".parse().unwrap();
    assert_eq!(
        template.segments(),
        [
            Segment::Literal("a ".into()),
            Segment::Variable {
                operator: Operator::Req(
                    RequestField::Header("x-user".parse().unwrap()),
                    Some(RequestField::Authority)
                ),
                max_len: Some(10),
            },
            Segment::Literal(" 100% ".into()),
            Segment::Variable { operator: Operator::Protocol, max_len: None },
        ]
    );
}

#[test]
fn text_without_variables_is_one_literal() {
    assert_eq!("50%% off".parse::<Template>().unwrap().as_literal(), Some("50% off"));
    assert_eq!("".parse::<Template>().unwrap().as_literal(), Some(""));
    assert_eq!("%HOSTNAME%".parse::<Template>().unwrap().as_literal(), None);
}

#[test]
fn formats_of_time_may_hold_percent_signs_and_parentheses() {
    let template: Template = "[%START_TIME(%F (%T) %3f%z)%]".parse().unwrap();
    let Segment::Variable { operator: Operator::StartTime(Some(format)), .. } = &template.segments()[1]
    else {
        panic!("{template:?}");
    };
    assert_eq!(format.to_string(), "%Y-%m-%d (%H:%M:%S) %3f+0000");
}

#[test]
fn envoys_default_format_is_understood() {
    let format = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
        %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
        %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
        \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% \
        %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
    assert!(format.parse::<Template>().is_ok());
}

#[test]
fn mistakes_name_the_operator_and_what_was_meant() {
    assert_eq!(
        error("x %RESPONSE_CODES%"),
        (
            "byte 2: `%RESPONSE_CODES%` is not a variable that Sluice knows".to_owned(),
            Some("did you mean `%RESPONSE_CODE%`?".to_owned())
        )
    );
    assert_eq!(error("100%").1.as_deref(), Some("write `%%` for a percent sign"));
    assert_eq!(error("100% sure").1.as_deref(), Some("write `%%` for a percent sign"));
    assert_eq!(error("%REQ%").0, "byte 0: `%REQ%` needs a name, as in `%REQ(x-user)%`");
    assert_eq!(error("%REQ(a b)%").0, "byte 0: `%REQ%`: `a b` is not a header name");
    assert_eq!(
        error("%REQ(:host)%").1.as_deref(),
        Some("there are `:METHOD`, `:PATH`, `:AUTHORITY` and `:SCHEME`")
    );
    assert_eq!(error("%COOKIE%").0, "byte 0: `%COOKIE%` needs a name, as in `%COOKIE(x-user)%`");
    assert_eq!(error("%QUERY_PARAM(a=b)%").0, "byte 0: `%QUERY_PARAM%`: `a=b` is not a name");
    assert_eq!(error("%REQ(a").0, "byte 0: the parenthesis of `%REQ(` is not closed");
    assert_eq!(error("%PROTOCOL(a)%").0, "byte 0: `%PROTOCOL%` takes no argument");
    assert_eq!(error("%PROTOCOL:0%").0, "byte 0: `%PROTOCOL`: a length is a number of bytes, as in `:10`");
    assert_eq!(error("%PROTOCOL x").0, "byte 0: `%PROTOCOL` is not closed with a `%`");
    assert_eq!(error("%START_TIME(%Q)%").0, "byte 0: `%START_TIME%`: `%Q` is not known in a format of time");
}

#[test]
fn every_name_is_found_again() {
    let named = ["REQ", "RESP", "TRAILER", "QUERY_PARAM", "COOKIE"];
    for name in Operator::names().filter(|name| !named.contains(name)) {
        assert_eq!(Operator::named(name).unwrap().name(), name);
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_prints_as_it_was_read(text in "(%|REQ|START_TIME|PROTOCOL|COOKIE|QUERY_PARAM|HOST|\\(|\\)|:|[0-9]|x-y|\\?|\\PC){0,12}") {
        if let Ok(template) = text.parse::<Template>() {
            prop_assert_eq!(&template, &template.to_string().parse::<Template>().unwrap());
        }
    }
}
