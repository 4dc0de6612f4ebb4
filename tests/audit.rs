//! `sluice audit`: what Ingresses that were written for ingress-nginx come to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Cli, cli};

/// Two Ingresses of the usual class, as a cluster prints them: without an IngressClass and without Services.
const SHOP: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    name: web
    namespace: shop
    annotations:
      nginx.ingress.kubernetes.io/use-regex: \"true\"
      nginx.ingress.kubernetes.io/auth-url: https://auth.example.net/?key=s3cret
      nginx.ingress.kubernetes.io/configuration-snippet: |
        more_set_headers \"X-Key: s3cret|1\";
        proxy_pass http://elsewhere;
  spec:
    ingressClassName: nginx
    tls: [{ hosts: [shop.example.com] }]
    rules:
    - host: shop.example.com
      http:
        paths:
        - { path: /a, pathType: ImplementationSpecific, backend: { service: { name: web, port: { number: 80 } } } }
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    name: slash
    namespace: shop
  spec:
    ingressClassName: nginx
    rules:
    - host: slash.example.com
      http:
        paths:
        - { path: /cart/, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: { name: other, namespace: shop }
  spec: { ingressClassName: traefik }
";

fn shop() -> Cli {
    cli!().file("shop/all.yaml", SHOP)
}

/// The line that begins with these words, words apart by any number of spaces.
fn line<'t>(text: &'t str, words: &str) -> &'t str {
    let words: Vec<&str> = words.split(' ').collect();
    let begins = |line: &&str| line.split_whitespace().take(words.len()).eq(words.iter().copied());
    text.lines().find(begins).unwrap_or_else(|| panic!("{words:?} in:\n{text}"))
}

#[tokio::test]
async fn an_audit_tells_totals_verdicts_behaviour_and_snippet_lines_and_succeeds_whatever_there_is() {
    let output = shop().run(["audit", "shop"]).await;
    assert_eq!((output.code, &*output.stderr), (0, ""));
    let text = &output.stdout;
    line(text, "Ingresses 2");
    line(text, "hosts 2");
    line(text, "paths 2");
    line(text, "with TLS 1");
    line(text, "Ingresses of class traefik, which is not ours 1");
    line(text, "use-regex 1 in effect");
    assert!(line(text, "auth-url 1 1 not in effect yet:").contains("authentication"), "{text}");
    assert!(line(text, "RegexHost Ingress shop/web all.yaml:4").contains("use-regex"), "{text}");
    assert!(line(text, "TrailingSlash Ingress shop/slash").contains("/cart/"), "{text}");
    line(text, "Ingress shop/web configuration-snippet 1 more_set_headers can be translated");
    line(text, "Ingress shop/web configuration-snippet 2 proxy_pass is not among");
}

#[tokio::test]
async fn values_of_annotations_are_shown_only_where_that_is_asked_for() {
    for format in ["text", "json", "markdown"] {
        let hidden = shop().run(["audit", "shop", "--format", format]).await.stdout;
        assert!(!hidden.contains("s3cret") && !hidden.contains("elsewhere"), "{hidden}");
        let shown = shop().run(["audit", "shop", "--format", format, "--show-values"]).await.stdout;
        assert!(shown.contains("key=s3cret") && shown.contains("http://elsewhere"), "{shown}");
    }
}

#[tokio::test]
async fn the_json_of_an_audit_has_a_word_for_every_verdict_and_kind() {
    let output = shop().file("shop/bad.yaml", "kind: ]").run(["audit", "shop", "--format=json"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let audit: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&audit["totals"]["ours"], &audit["totals"]["others"]["traefik"]), (&2.into(), &1.into()));
    assert!(audit["files"][0].as_str().unwrap().starts_with("bad.yaml:1:7: "), "{}", audit["files"]);
    let effects: Vec<_> =
        audit["annotations"].as_array().unwrap().iter().map(|each| &each["effect"]).collect();
    assert_eq!(effects, ["fails_closed", "by_directive", "in_effect"]);
    assert_eq!(
        (&audit["behaviour"][0]["kind"], &audit["behaviour"][0]["line"]),
        (&"RegexHost".into(), &4.into())
    );
    assert_eq!(audit["snippets"][0]["directives"][1]["line"], 2);
}

#[tokio::test]
async fn the_tables_of_markdown_keep_their_cells_whatever_stands_in_them() {
    let output = shop().run(["audit", "shop/all.yaml", "--format=markdown", "--show-values"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for part in ["# Ingresses in ", "## Totals", "| Ingresses | 2 |", "| --- | --- |", "s3cret\\|1"] {
        assert!(output.stdout.contains(part), "{part} in:\n{}", output.stdout);
    }
}

#[tokio::test]
async fn a_class_of_somebody_else_keeps_its_ingresses_though_it_has_the_usual_name() {
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: nginx }\n\
                 spec: { controller: nginx.org/ingress-controller }\n";
    let output = shop().file("shop/class.yaml", class).run(["audit", "shop"]).await;
    line(&output.stdout, "Ingresses 0");
    line(&output.stdout, "Ingresses of class nginx, which is not ours 2");
}

#[tokio::test]
async fn what_cannot_be_read_is_the_only_failure_of_an_audit() {
    let cli = cli!().file("empty/readme.txt", "");
    for (folder, said) in [("gone", "No such file"), ("empty", "no manifest")] {
        let output = cli.run(["audit", folder]).await;
        assert_eq!((output.code, &*output.stdout), (1, ""), "{folder}");
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}
