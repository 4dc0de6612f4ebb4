//! What the routes of a virtual host name.

use super::{
    At, Context,
    names::{Kind, refer},
};
use crate::spec::{Action, Forward, Sticky, VirtualHost};

/// Every name leads to something of the right kind. `routes` is where the routes of the host stand.
pub(super) fn check<'a>(cx: &mut Context<'a>, host: &'a VirtualHost, routes: At<'_>) {
    for (index, route) in host.routes.iter().enumerate() {
        let at = routes.index(index);
        if let Action::Forward(forward) = &route.action {
            let action = at.key("action");
            destinations(cx, forward, action.key("forward"));
        }
        if let Some(pages) = &route.error_pages {
            let at = at.key("error_pages");
            refer(cx, at.key("cluster"), Kind::Cluster, &pages.cluster);
        }
        let mirrors = at.key("mirrors");
        for (index, mirror) in route.mirrors.iter().enumerate() {
            refer(cx, mirrors.index(index).key("cluster"), Kind::Cluster, &mirror.cluster);
        }
    }
}

fn destinations<'a>(cx: &mut Context<'a>, forward: &'a Forward, at: At<'_>) {
    let destinations = at.key("destinations");
    for (index, destination) in forward.destinations.iter().enumerate() {
        refer(cx, destinations.index(index).key("cluster"), Kind::Cluster, &destination.cluster);
    }
    let canaries = at.key("canaries");
    for (index, canary) in forward.canaries.iter().enumerate() {
        refer(cx, canaries.index(index).key("cluster"), Kind::Cluster, &canary.cluster);
    }
    if let Some(Sticky::Cookie(cookie)) = &forward.sticky {
        let sticky = at.key("sticky");
        let cookie_at = sticky.key("cookie");
        refer(cx, cookie_at.key("key"), Kind::Secret("key"), &cookie.key);
    }
}
