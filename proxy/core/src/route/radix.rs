//! A radix tree over bytes: finds every key that is a prefix of a text, in one walk.
//!
//! Host suffixes (reversed), host prefixes and all path conditions but regexes live in such trees. The walk costs the length
//! of the text, whatever the number of keys.

/// A tree in flat arrays, built once.
#[derive(Debug)]
pub(crate) struct RadixTree<V> {
    nodes: Box<[Node<V>]>,
    /// The text on the edge into each node, all in one block.
    labels: Box<[u8]>,
    /// First byte of the label of each node; children of one node lie next to each other.
    firsts: Box<[u8]>,
}

#[derive(Debug)]
struct Node<V> {
    label: (u32, u32),
    children: (u32, u32),
    value: Option<V>,
}

impl<V> RadixTree<V> {
    /// Of several entries with the same key the last one stays.
    pub(crate) fn new(entries: impl IntoIterator<Item = (Vec<u8>, V)>) -> Self {
        let mut entries: Vec<(Vec<u8>, Option<V>)> =
            entries.into_iter().map(|(key, value)| (key, Some(value))).collect();
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        entries.reverse();
        entries.dedup_by(|(left, _), (right, _)| left == right);
        entries.reverse();
        let mut nodes = vec![Node { label: (0, 0), children: (0, 0), value: None }];
        let mut labels = Vec::new();
        let mut firsts = vec![0];
        // Breadth first, so that siblings are neighbours: (node, its entries, how much of their keys is spent).
        let mut pending = std::collections::VecDeque::from([(0_usize, 0..entries.len(), 0_usize)]);
        while let Some((node, mut range, spent)) = pending.pop_front() {
            if entries.get(range.start).is_some_and(|(key, _)| !range.is_empty() && key.len() == spent) {
                nodes[node].value = entries[range.start].1.take();
                range.start += 1;
            }
            let first_child = nodes.len();
            while !range.is_empty() {
                let byte = entries[range.start].0[spent];
                let end = range.start
                    + entries[range.clone()].iter().take_while(|(key, _)| key[spent] == byte).count();
                let (low, high) = (&entries[range.start].0[spent..], &entries[end - 1].0[spent..]);
                let shared = low.iter().zip(high).take_while(|(left, right)| left == right).count();
                let label = (labels.len() as u32, (labels.len() + shared) as u32);
                labels.extend_from_slice(&low[..shared]);
                firsts.push(byte);
                pending.push_back((nodes.len(), range.start..end, spent + shared));
                nodes.push(Node { label, children: (0, 0), value: None });
                range.start = end;
            }
            nodes[node].children = (first_child as u32, nodes.len() as u32);
        }
        Self { nodes: nodes.into(), labels: labels.into(), firsts: firsts.into() }
    }

    /// Visits the value of every key that the text begins with, shortest first, with the key's length.
    pub(crate) fn walk<'t>(&'t self, text: &[u8], mut visit: impl FnMut(usize, &'t V)) {
        let (mut node, mut at) = (&self.nodes[0], 0);
        loop {
            if let Some(value) = &node.value {
                visit(at, value);
            }
            let Some(byte) = text.get(at) else { return };
            let (start, end) = (node.children.0 as usize, node.children.1 as usize);
            let Ok(child) = self.firsts[start..end].binary_search(byte) else { return };
            node = &self.nodes[start + child];
            let label = &self.labels[node.label.0 as usize..node.label.1 as usize];
            if !text[at..].starts_with(label) {
                return;
            }
            at += label.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_same_prefixes_as_a_scan(
            keys in proptest::collection::hash_set("[ab/]{0,6}", 0..40),
            text in "[ab/]{0,10}",
        ) {
            let tree = RadixTree::new(keys.iter().map(|key| (key.clone().into_bytes(), key.clone())));
            let mut found = Vec::new();
            tree.walk(text.as_bytes(), |length, key| {
                assert_eq!(length, key.len());
                found.push(key.clone());
            });
            let mut wanted: Vec<_> = keys.into_iter().filter(|key| text.starts_with(key.as_str())).collect();
            wanted.sort_by_key(String::len);
            prop_assert_eq!(found, wanted);
        }
    }
}
