//! The language cases of promotion gates: what their expressions give over a dynamic context.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_cel::Cel;
use kanon_core::Object;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};

const CONTEXT: &str = r#"{
  "bundle": {"type": "image", "version": "1.29.0", "name": "nginx-demo-v1", "labels": {"hotfix": "true", "kardinal.io/emergency": "true"},
    "provenance": {"author": "Alice"}, "metadata": {"annotations": {"channel": "{\"channel\":\"stable\"}"}}, "upstreamSoakMinutes": 45},
  "schedule": {"hour": 10, "dayOfWeek": "Tuesday", "isWeekend": false},
  "upstream": {"staging": {"soakMinutes": 61}},
  "metrics": {"a": 1, "b": 2, "x": 2.5}
}"#;

/// `true`, `false`, `cerr` for what does not compile, `err` for what fails.
fn outcome(source: &str) -> &'static str {
    let object = Object::parse(CONTEXT).unwrap();
    let names = ["bundle", "schedule", "upstream", "metrics"];
    let arena = Arena::new();
    let values = names.map(|name| Value::from_option(object.root().get(name), &arena));
    let options = Options { boolean: true, ..Options::default() };
    let program = Cel::default().compile(source, &Environment::new(names), &options);
    let Ok(program) = program else { return "cerr" };
    let limits = Limits::default();
    match program.evaluate(&values, &limits, &arena) {
        Ok(Value::Bool(true)) => "true",
        Ok(Value::Bool(false)) => "false",
        _ => "err",
    }
}

#[test]
fn gates_give_what_the_language_says() {
    let cases = [
        ("true", "true"),
        ("false", "false"),
        // That the result is no boolean shows at once where its type is known.
        ("bundle.version", "err"),
        ("1 + 1", "cerr"),
        ("  ", "cerr"),
        ("this is not valid CEL !!!", "cerr"),
        ("schedule.notExistingFn()", "cerr"),
        ("schedule.minuteX == 1", "err"),
        ("bundle.type == 'image'", "true"),
        ("dyn(\"true\") == true", "false"),
        ("\"true\" == true", "cerr"),
        ("dyn(1) == 1.0", "true"),
        ("dyn(1) == \"1\"", "false"),
        ("1 == 1.0", "cerr"),
        ("1 < 1.5", "cerr"),
        ("dyn(\"0.003\") < 0.01", "err"),
        ("\"0.003\" < 0.01", "cerr"),
        ("false && bundle.nope", "false"),
        ("bundle.nope && false", "false"),
        ("bundle.nope || true", "true"),
        ("true || bundle.nope", "true"),
        ("bundle.nope || false", "err"),
        ("has(bundle.labels.hotfix)", "true"),
        ("has(bundle.labels.other)", "false"),
        ("has(bundle.nope.x)", "err"),
        ("has(bundle.labels.other) && bundle.labels.other == 'true'", "false"),
        ("'hotfix' in bundle.labels", "true"),
        ("bundle.labels.hotfix == 'true'", "true"),
        ("!bundle.labels.hotfix", "err"),
        ("bundle.labels['kardinal.io/emergency'] == 'true'", "true"),
        ("upstream['uat'].soakMinutes >= 30", "err"),
        ("upstream.staging.soakMinutes >= 60 && schedule.hour >= 9 && schedule.hour < 17", "true"),
        ("schedule.hour >= 9.5", "true"),
        ("bundle.upstreamSoakMinutes >= 30.0", "true"),
        ("bundle.upstreamSoakMinutes % 60 == 45", "true"),
        ("type(schedule.hour) == int", "true"),
        ("metrics.a < metrics.b", "true"),
        ("metrics.x + 1.0 > 3.0", "true"),
        ("delegation.status == 'Healthy'", "cerr"),
        ("json.unmarshal(\"{\\\"ready\\\": true}\").ready == true", "true"),
        ("json.unmarshal(\"{\\\"a\\\":1}\").a == 1", "true"),
        ("json.unmarshal(bundle.metadata.annotations['channel']).channel == 'stable'", "true"),
        ("{'a': '1'}.merge({'a': '2'})['a'] == '2'", "true"),
        ("lists.setAtIndex([1,2,3], 1, 9)[1] == 9", "true"),
        ("lists.setAtIndex([1,2,3], 3, 9).size() == 3", "err"),
        ("lists.insertAtIndex([1,2,3], 0, 0).size() == 4", "true"),
        ("lists.insertAtIndex([1,2,3], 3, 4)[3] == 4", "true"),
        ("lists.removeAtIndex([1,2,3], 2).size() == 2", "true"),
        ("random.seededInt(0, 100, 'test-seed') == 56", "true"),
        ("random.seededInt(0, 100, bundle.name) < 20", "true"),
        ("random.seededInt(5, 5, 'x') == 5", "err"),
        ("bundle.provenance.author.lowerAscii() == 'alice'", "true"),
        ("bundle.version.split('.')[0] == '1'", "true"),
        ("bundle.version.matches('^1\\\\.[0-9]+\\\\.[0-9]+$')", "true"),
        ("['Saturday','Sunday'].exists(d, d == schedule.dayOfWeek) == schedule.isWeekend", "true"),
        ("!(schedule.dayOfWeek == 'Friday' && schedule.hour >= 15)", "true"),
        ("lists.range(10000).all(a, lists.range(10000).all(b, lists.range(10000).all(c, a + b + c >= 0)))", "err"),
    ];
    for (source, want) in cases {
        assert_eq!(outcome(source), want, "{source}");
    }
}
