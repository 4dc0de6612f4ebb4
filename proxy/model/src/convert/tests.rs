use super::*;
use crate::spec;

/// Every type that stands in a list of its own must be guessable, however little of it was written.
#[test]
fn a_hole_becomes_any_resource() {
    fn guess<T: DeserializeOwned>(text: &str) {
        let tree = crate::tree::parse(text).tree;
        let mut repairs = Repairs::new(&tree);
        let (value, problems) = convert::<T>(&tree, tree.root().unwrap(), &Path::root(), &mut repairs);
        assert!(value.is_some(), "{} from {text}: {problems:?}", std::any::type_name::<T>());
    }
    for text in
        ["{}", "5", "text", "[]", "[1]", "{ a: b }", "yes", "1.5", "{ name: x }", "{ kind: { tls: 5 } }"]
    {
        guess::<spec::Listener>(text);
        guess::<spec::RouteTable>(text);
        guess::<spec::VirtualHost>(text);
        guess::<spec::Route>(text);
        guess::<spec::Cluster>(text);
        guess::<spec::Secret>(text);
        guess::<spec::Config>(text);
        guess::<spec::Filter>(text);
        guess::<spec::Mirror>(text);
        guess::<spec::RegexRewrite>(text);
        guess::<spec::DirectResponse>(text);
        guess::<spec::HeaderMatch>(text);
        guess::<spec::Canary>(text);
        guess::<spec::StickyCookie>(text);
        guess::<spec::FaultAbort>(text);
    }
}
