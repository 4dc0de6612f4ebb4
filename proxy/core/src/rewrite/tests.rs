use super::*;
use crate::route::RequestView;
use sluice_filter::NoFields;
use sluice_model::spec::{RedirectCode, RedirectPath, RegexRewrite, Scheme};

fn matched(path: PathMatched) -> MatchInfo {
    MatchInfo { index: 0, path }
}

fn rewritten(rewrite: spec::PathRewrite, path: &str, how: PathMatched) -> String {
    let rewrite = Rewrite::compile(&spec::Rewrite { path: Some(rewrite), host: None });
    let mut out = Vec::new();
    if rewrite.path(path, matched(how), &mut MatchScratch::default(), &mut out) {
        String::from_utf8(out).unwrap()
    } else {
        assert!(out.is_empty());
        format!("{path} unchanged")
    }
}

#[test]
fn a_prefix_takes_the_place_of_what_was_matched() {
    use PathMatched::{Any, Exact, Prefix, Regex, StringPrefix};
    for (prefix, path, how, wanted) in [
        ("/b", "/a/x", Prefix(2), "/b/x"),
        ("/b", "/a", Prefix(2), "/b"),
        ("/b", "/a/", Prefix(2), "/b/"),
        ("/", "/a/x", Prefix(2), "/x"),
        ("/", "/a", Prefix(2), "/"),
        ("/b/", "/a/x", Prefix(2), "/b/x"),
        ("/b", "/x", Prefix(0), "/b/x"),
        ("/", "/a/b", StringPrefix(2), "//b"),
        ("/", "/a/b", StringPrefix(3), "/b"),
        ("/x", "/foo", Any, "/xfoo"),
        ("/new", "/old", Exact, "/new"),
        ("/new", "/old/1", Regex, "/new"),
    ] {
        assert_eq!(
            rewritten(spec::PathRewrite::Prefix(prefix.into()), path, how),
            wanted,
            "{path} to {prefix}"
        );
    }
}

#[test]
fn a_regex_replaces_every_occurrence_or_the_whole_path() {
    let regex = |pattern: &str, replacement: &str, replace_whole| {
        spec::PathRewrite::Regex(RegexRewrite {
            pattern: pattern.parse().unwrap(),
            replacement: replacement.into(),
            ignore_case: false,
            replace_whole,
        })
    };
    for (rewrite, path, wanted) in [
        (regex("/v[0-9]+", "/api", false), "/v1/v2/x", "/api/api/x"),
        (regex("^/(\\w+)/(\\w+)", r"/\2/\1/\\", false), "/a/b/c", "/b/a/\\/c"),
        (regex("x*", "-", false), "/ab", "/-/-a-b-"),
        (regex("^/svc/?(.*)", r"/\1", true), "/svc/items/1", "/items/1"),
        (regex("^/svc(/|$)(.*)", r"/\2", true), "/svc", "/"),
        (regex("(z)?b", r"[\1\0]", true), "/ab", "/[b]"),
        (regex("nothing", "x", true), "/ab", "/ab unchanged"),
        (regex("nothing", "x", false), "/ab", "/ab unchanged"),
        (regex("^/a", "", false), "/a", "/"),
    ] {
        assert_eq!(rewritten(rewrite.clone(), path, PathMatched::Any), wanted, "{rewrite:?}");
    }
}

#[test]
fn a_redirect_keeps_what_it_does_not_change() {
    let view = |scheme, authority| RequestView {
        method: "GET",
        scheme,
        authority,
        host: "b",
        path: "/old/x",
        query: Some("k=v"),
        source: [127, 0, 0, 1].into(),
        port: 80,
        fields: &NoFields,
    };
    let location = |redirect: spec::Redirect, scheme, authority| {
        let mut out = Vec::new();
        let how = matched(PathMatched::Prefix(4));
        Redirect::compile(&redirect).location(
            &view(scheme, authority),
            how,
            &mut MatchScratch::default(),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    let redirect = spec::Redirect::default;
    let https = || spec::Redirect { scheme: Some(Scheme::Https), ..redirect() };
    for (redirect, authority, wanted) in [
        (https(), "b", "https://b/old/x?k=v"),
        (https(), "b:80", "https://b/old/x?k=v"),
        (https(), "b:8000", "https://b:8000/old/x?k=v"),
        (spec::Redirect { port: Some(8443), ..https() }, "b:8000", "https://b:8443/old/x?k=v"),
        (spec::Redirect { port: Some(443), ..https() }, "b:8000", "https://b/old/x?k=v"),
        (redirect(), "b:80", "http://b:80/old/x?k=v"),
        (https(), "[::1]:80", "https://[::1]/old/x?k=v"),
        (https(), "[::1]", "https://[::1]/old/x?k=v"),
        (spec::Redirect { host: Some("c:81".into()), ..redirect() }, "b:8000", "http://c:81/old/x?k=v"),
        (spec::Redirect { strip_query: true, ..redirect() }, "b", "http://b/old/x"),
        (
            spec::Redirect { path: Some(RedirectPath::Whole("/new?a=1".into())), ..redirect() },
            "b",
            "http://b/new?a=1",
        ),
        (
            spec::Redirect { path: Some(RedirectPath::Whole("/new".into())), ..redirect() },
            "b",
            "http://b/new?k=v",
        ),
        (
            spec::Redirect { path: Some(RedirectPath::Prefix("/new".into())), ..redirect() },
            "b",
            "http://b/new/x?k=v",
        ),
    ] {
        assert_eq!(location(redirect, Scheme::Http, authority), wanted);
    }
    let trimmed = |whole: &str| {
        let path = Some(RedirectPath::Whole(whole.into()));
        location(spec::Redirect { trim_slash: true, path, ..https() }, Scheme::Http, "b")
    };
    assert_eq!(trimmed("/?"), "https://b/?");
    assert_eq!(trimmed("/a/?k=/"), "https://b/a/?k=", "as nginx does, whatever the slash ends");
    let bare = spec::Redirect { trim_slash: true, strip_query: true, ..https() };
    let whole = |path: &str| spec::Redirect { path: Some(RedirectPath::Whole(path.into())), ..bare.clone() };
    assert_eq!(location(whole("/"), Scheme::Http, "b"), "https://b");
    assert_eq!(location(whole("/a//"), Scheme::Http, "b"), "https://b/a/");
    let code = spec::Redirect { code: RedirectCode::PermanentRedirect, ..redirect() };
    assert_eq!(Redirect::compile(&code).status, 308);
}

#[test]
fn a_redirect_takes_captures_and_may_be_a_path_alone() {
    let regex = RegexRewrite {
        pattern: "/old/(.*)".parse().unwrap(),
        replacement: r"/new/\1".to_owned(),
        ignore_case: true,
        replace_whole: true,
    };
    let redirect = spec::Redirect {
        host: Some("www.example".to_owned()),
        path: Some(RedirectPath::Regex(regex)),
        ..spec::Redirect::default()
    };
    let location = |redirect: &spec::Redirect, path| {
        let view = RequestView {
            method: "GET",
            scheme: Scheme::Http,
            authority: "b",
            host: "b",
            path,
            query: Some("k=v"),
            source: [127, 0, 0, 1].into(),
            port: 80,
            fields: &NoFields,
        };
        let mut out = Vec::new();
        Redirect::compile(redirect).location(
            &view,
            matched(PathMatched::Regex),
            &mut MatchScratch::default(),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    assert_eq!(location(&redirect, "/OLD/a/b"), "http://www.example/new/a/b?k=v");
    assert_eq!(location(&redirect, "/other"), "http://www.example/other?k=v");
    let relative = spec::Redirect { host: None, relative: true, ..redirect };
    assert_eq!(location(&relative, "/old/x"), "/new/x?k=v");
}
