//! What authors call the parts of a route.

/// The field of an http rule that a part of a route was made from: `action.forward.destinations[1].weight` is `route`.
/// Empty where it is the rule as a whole.
pub(super) fn of(path: &str) -> &'static str {
    const FIELDS: [(&str, &str); 14] = [
        ("match", "match"),
        ("rewrite.path", "rewrite.uri"),
        ("rewrite.host", "rewrite.authority"),
        ("response_rewrite", "rewrite"),
        ("headers.request", "headers.request"),
        ("headers.response", "headers.response"),
        ("headers", "headers"),
        ("timeouts", "timeout"),
        ("retry", "retries"),
        ("action.forward", "route"),
        ("action.redirect", "redirect"),
        ("action.respond", "directResponse"),
        ("mirrors", "mirrors"),
        ("filters", "fault"),
    ];
    FIELDS.iter().find(|(part, _)| path.starts_with(part)).map_or("", |(_, field)| field)
}
