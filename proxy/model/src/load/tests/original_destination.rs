//! Connections that were on their way to somewhere else.

use super::*;
use std::fmt::Write;

/// What is said of listeners with these settings; the first route table is there.
fn say_destinations(listeners: &[&str]) -> String {
    let mut text = "route_tables:
- { name: t, virtual_hosts: [{ name: h, hosts: ['*'], routes: [{ name: r, action: { respond: { status: 200 } } }] }] }
listeners:
"
    .to_owned();
    for (number, settings) in listeners.iter().enumerate() {
        writeln!(text, "- {{ name: l{number}, address: 127.0.0.1:0, route_table: t, {settings} }}").unwrap();
    }
    let said = say(&text);
    said.lines().map(|line| line.split_once(": ").map_or(line, |(_, line)| line).to_owned() + "\n").collect()
}

#[test]
fn each_port_has_a_listener_that_stands_for_it() {
    assert_eq!(
        say_destinations(&[
            "original_destination: { trusted: [127.0.0.0/8], port: 80, addresses: [{ address: 10.0.0.1, route_table: t }] }",
            "original_destination: { trusted: ['::1'], port: 81, other_ports: t }",
        ]),
        ""
    );
    assert_eq!(
        say_destinations(&[
            "original_destination: { trusted: [127.0.0.0/8], port: 80 }",
            "original_destination: { trusted: [127.0.0.0/8], port: 80 }",
        ]),
        "error: listeners[1].original_destination.port: listener `l0` stands for destinations at port 80 already\n"
    );
}

#[test]
fn nobody_to_believe_no_port_and_unknown_tables_are_mistakes() {
    assert_eq!(
        say_destinations(&[
            "original_destination: { trusted: [], port: 0, addresses: [{ address: 10.0.0.1, route_table: u }, { address: '::ffff:10.0.0.1', route_table: t }], other_ports: v }"
        ]),
        "error: listeners[0].original_destination.trusted: nobody's header is believed, so every connection is closed; list the addresses that connections are brought from
error: listeners[0].original_destination.port: nobody is on the way to port 0
error: listeners[0].original_destination.addresses[0].route_table: unknown route table `u`
error: listeners[0].original_destination.addresses[1].address: `::ffff:10.0.0.1` is listed twice
error: listeners[0].original_destination.other_ports: unknown route table `v`
"
    );
}
