//! Normal forms of the path: what routes see, and what the upstream gets.

use sluice_dsl::{Answer, Http1, Http2, Origin, Request, Sluice, sluice};

const FORMS: [&str; 5] = ["none", "base", "merge_slashes", "decode_and_merge_slashes", "decode_all"];

/// A listener for each form and each kind of upstream path. The route is told to the upstream.
fn config() -> String {
    let listeners = FORMS.map(|form| {
        let listener = |upstream: &str| {
            format!(
                "  - {{ name: {form}-{upstream}, address: '127.0.0.1:0', route_table: main, path: {{ normalize: \
                 {form}, upstream: {upstream} }} }}\n"
            )
        };
        listener("normalized") + &listener("received")
    });
    let route = |name: &str, more: &str| {
        format!(
            "          - {{ name: {name}, {more}action: {{ forward: {{ destinations: [{{ cluster: origin }}] }} }}, \
             headers: {{ request: {{ set: [{{ name: x-route, value: {name} }}] }} }} }}\n"
        )
    };
    let routes = [
        route("admin", "match: [{ path: { prefix: /admin } }], "),
        route("rewritten", "match: [{ path: { prefix: /old } }], rewrite: { path: { prefix: /new } }, "),
        route("rest", ""),
    ];
    format!(
        "listeners:\n{}route_tables:\n  - name: main\n    virtual_hosts:\n      - name: all\n        hosts: ['*']\n        \
         routes:\n{}clusters: [{{ name: origin, endpoints: [{{ address: '${{origin}}' }}] }}]\n",
        listeners.concat(),
        routes.concat()
    )
}

/// The route and the target that the upstream saw; the same over both versions of HTTP.
async fn seen(proxy: &Sluice, listener: &str, target: &str) -> (String, String) {
    let address = proxy.listener(listener);
    let one = Http1::connect(address).await.get(target).await;
    let two = Http2::connect(address).await.get(target).await;
    assert_eq!(
        (one.status, one.text()),
        (two.status, two.text()),
        "HTTP/1.1 and HTTP/2 at {listener}: {target}"
    );
    match one.text().split_once(' ') {
        Some((route, target)) if one.status == 200 => (route.to_owned(), target.to_owned()),
        _ => (one.status.to_string(), String::new()),
    }
}

async fn telling() -> Origin {
    let route = |seen: &sluice_dsl::Seen| seen.fields.get("x-route").unwrap_or_default().to_owned();
    Origin::http1(move |seen| Answer::ok(format!("{} {}", route(seen), seen.target))).await
}

#[tokio::test]
async fn routes_see_the_normal_form_and_the_upstream_what_the_listener_says() {
    let origin = telling().await;
    let proxy = sluice!().value("origin", &origin).config(&config()).start().await;
    // The path as sent, and in each form but the last, which reads these as the one before; `None` is the path as sent. All
    // begin in /admin where they are normal.
    for (sent, forms) in [
        ("/admin/x", [None, None, None, None]),
        ("/admin/x?a=/../%2e//", [None, None, None, None]),
        ("/x/../admin", [None, Some("/admin"), Some("/admin"), Some("/admin")]),
        ("/./admin/.", [None, Some("/admin/"), Some("/admin/"), Some("/admin/")]),
        ("/../../admin?q", [None, Some("/admin?q"), Some("/admin?q"), Some("/admin?q")]),
        ("/%61dmin/%7Ex", [None, Some("/admin/~x"), Some("/admin/~x"), Some("/admin/~x")]),
        ("/x/%2e%2E/admin", [None, Some("/admin"), Some("/admin"), Some("/admin")]),
        ("/admin/50%", [None, Some("/admin/50%25"), Some("/admin/50%25"), Some("/admin/50%25")]),
        ("/admin//x", [None, None, Some("/admin/x"), Some("/admin/x")]),
        ("//admin", [None, None, Some("/admin"), Some("/admin")]),
        ("/x//../admin", [None, Some("/x/admin"), Some("/admin"), Some("/admin")]),
        ("/admin%2fx", [None, Some("/admin%2Fx"), Some("/admin%2Fx"), Some("/admin/x")]),
        ("/x%2f..%2Fadmin", [None, Some("/x%2F..%2Fadmin"), Some("/x%2F..%2Fadmin"), Some("/admin")]),
        (
            "/admin/a%20b%c3%bc",
            [None, Some("/admin/a%20b%C3%BC"), Some("/admin/a%20b%C3%BC"), Some("/admin/a%20b%C3%BC")],
        ),
    ] {
        for (form, normal) in FORMS.iter().zip(forms.into_iter().chain([forms[3]])) {
            let normal = normal.unwrap_or(sent);
            let path = normal.split('?').next().unwrap_or_default();
            let route = if path == "/admin" || path.starts_with("/admin/") { "admin" } else { "rest" };
            for (upstream, target) in [("normalized", normal), ("received", sent)] {
                let found = seen(&proxy, &format!("{form}-{upstream}"), sent).await;
                assert_eq!(found, (route.to_owned(), target.to_owned()), "{sent} with {form}, {upstream}");
            }
        }
    }
}

#[tokio::test]
async fn a_rewrite_starts_from_the_normal_form_also_where_the_upstream_gets_paths_as_received() {
    let origin = telling().await;
    let proxy = sluice!().value("origin", &origin).config(&config()).start().await;
    for upstream in ["normalized", "received"] {
        let found = seen(&proxy, &format!("base-{upstream}"), "/x/../old/%7Ea?b=%7E").await;
        assert_eq!(found, ("rewritten".to_owned(), "/new/~a?b=%7E".to_owned()), "{upstream}");
        let found = seen(&proxy, &format!("none-{upstream}"), "/x/../old").await;
        assert_eq!(found, ("rest".to_owned(), "/x/../old".to_owned()), "{upstream}");
    }
}

#[tokio::test]
async fn a_path_with_an_encoded_nul_is_refused_in_every_form() {
    let origin = telling().await;
    let proxy = sluice!().value("origin", &origin).config(&config()).start().await;
    for form in FORMS {
        for upstream in ["normalized", "received"] {
            let found = seen(&proxy, &format!("{form}-{upstream}"), "/a%00b").await;
            assert_eq!(found.0, "400", "{form}, {upstream}");
        }
    }
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn base_is_the_form_of_a_listener_that_says_nothing() {
    let origin = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&origin).await;
    let replies = proxy.both(&Request::get("/a/../b//%63")).await;
    assert_eq!(replies.map(|reply| reply.status), [200; 2]);
    assert_eq!(origin.requests().iter().map(|seen| &*seen.target).collect::<Vec<_>>(), ["/b//c"; 2]);
}
