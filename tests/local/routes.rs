//! Which function a request reaches.

use understudy::local::route::{RouteTable, Template};

fn table(rows: &[(&str, &str, &[&str])]) -> RouteTable {
    let mut table = RouteTable::new();
    for (function, route, methods) in rows {
        let methods: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
        table.add(function, "api", route, &methods).unwrap();
    }
    table
}

fn reached<'a>(table: &'a RouteTable, method: &str, path: &str) -> Option<&'a str> {
    table.find(method, path).map(|found| found.function)
}

#[test]
fn parameters_are_decoded_but_for_slashes() {
    let found = |template: &str, path: &str| -> Vec<(String, String)> {
        let parameters = Template::parse(template).unwrap().matches(path).unwrap();
        parameters.into_iter().collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        found("groups/{group}/{part?}", "/groups/a%20b%2Fc%3F/"),
        [pair("group", "a b%2Fc?")]
    );
    assert_eq!(
        found("a/{b}/{*rest}", "/a/1/2/%33"),
        [pair("b", "1"), pair("rest", "2/3")]
    );
}

#[test]
fn the_first_function_by_name_wins_not_the_most_literal_route() {
    let table = table(&[
        ("Groups", "groups/{group?}/{part?}", &["GET"]),
        ("Zebra", "groups/recent", &["GET"]),
        ("Active", "groups/{group}/active", &["GET"]),
        ("order", "groups/{group}/{order}", &["POST"]),
    ]);
    assert_eq!(table.functions(), ["Active", "Groups", "order", "Zebra"]);
    for (method, path, function) in [
        ("GET", "/api/groups/contoso/active", Some("Active")),
        ("GET", "/api/groups/contoso/history", Some("Groups")),
        ("GET", "/api/groups/contoso", Some("Groups")),
        ("GET", "/api/groups", Some("Groups")),
        // Hidden by Groups, as in the real host.
        ("GET", "/api/groups/recent", Some("Groups")),
        ("POST", "/api/groups/contoso/failover", Some("order")),
        ("POST", "/api/groups/contoso/active", Some("order")),
        // A method that no function has is 404, not 405.
        ("DELETE", "/api/groups/contoso", None),
        ("POST", "/api/groups/contoso", None),
        ("GET", "/groups/contoso", None),
        ("GET", "/api/groups/contoso/history/1", None),
        ("GET", "/api/nothing", None),
    ] {
        assert_eq!(reached(&table, method, path), function, "{method} {path}");
    }
}

#[test]
fn case_and_a_slash_at_the_end_do_not_matter() {
    let table = table(&[("Active", "Groups/{group}/active", &[])]);
    for path in ["/API/GROUPS/Contoso/ACTIVE", "/api/groups/contoso/active/"] {
        assert_eq!(reached(&table, "PUT", path), Some("Active"), "{path}");
    }
    for path in ["/api/groups//active", "/api/groups/contoso/active//"] {
        assert_eq!(reached(&table, "PUT", path), None, "{path}");
    }
}

#[test]
fn constraints_and_catch_alls() {
    for (template, fits, does_not) in [
        ("a/{id:int}", "/a/12", "/a/twelve"),
        ("a/{id:int}", "/a/-12", "/a/3000000000"),
        ("a/{id:long}", "/a/3000000000", "/a/x"),
        ("a/{id:bool}", "/a/TRUE", "/a/yes"),
        ("a/{*rest}", "/a", "/"),
        (
            "a/{id:guid}",
            "/a/5e29463d-71da-4fe0-8e69-999b57db23b0",
            "/a/5e29463d",
        ),
        ("a/{id:alpha:minlength(3)}", "/a/abc", "/a/ab"),
        ("a/{id:bool}", "/a/true", "/a/1"),
        ("a/{id:maxlength(2)}", "/a/ab", "/a/abc"),
        ("{word:regex(^(pause|resume)$)}", "/Pause", "/paused"),
        ("a/{*rest}", "/a/b/c/d", "/b"),
        ("a/{b?}", "/a", "/a/b/c"),
        ("", "/", "/a"),
    ] {
        let template = Template::parse(template).unwrap();
        assert!(template.matches(fits).is_some(), "{template:?} {fits}");
        assert!(
            template.matches(does_not).is_none(),
            "{template:?} {does_not}"
        );
    }
}

#[test]
fn what_needs_the_real_host_is_said() {
    for bad in [
        "a/{b}.json",
        "{*rest}/b",
        "a/{}",
        "a/{b:datetime}",
        "a/{b:regex(^x+$)}",
        "a/{b:min(x)}",
        "a/{b=1}",
        "a/{b",
        "a/{b}/{B}",
    ] {
        assert!(Template::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn two_functions_cannot_have_one_route() {
    let mut table = table(&[("A", "x/{id}", &["GET"])]);
    let mut add = |function: &str, route: &str, method: &str| {
        table.add(function, "api", route, &[method.to_owned()])
    };
    let error = add("B", "X/{ID}", "GET").unwrap_err();
    assert!(
        error.contains("conflicts with the route defined by function 'A'"),
        "{error}"
    );
    assert!(add("B", "X/{ID}", "POST").is_ok());
    // Routes are compared as texts: this one is taken, and hidden.
    assert!(add("C", "x/{other}", "GET").is_ok());
    assert_eq!(reached(&table, "GET", "/api/x/1"), Some("A"));
    assert!(
        table.add("D", "api", "x/{id}", &[]).is_err(),
        "every method"
    );
}
