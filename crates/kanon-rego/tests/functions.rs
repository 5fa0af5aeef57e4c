//! The functions that the interpreter lacks: their values, and that they are undefined on arguments that make no sense.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_rego::{Given, LoadOptions, Policy};
use serde_json::{Value as Json, json};

/// The value of a query; undefined is the text `undefined`.
fn value(query: &str, strict: bool) -> Result<Json, String> {
    let policy = Policy::load(&[], &LoadOptions::default()).unwrap();
    let query = policy.query(query, false).map_err(|error| error.to_string())?;
    let given = Given { now_ns: Some(1_700_000_000_000_000_000), strict, ..Given::default() };
    let answers = policy.evaluate(&query, given).map_err(|error| error.to_string())?;
    let json = |value: &kanon_rego::Value| serde_json::from_str(&value.to_json_str().unwrap()).unwrap();
    Ok(answers.list.first().map_or_else(|| json!("undefined"), |answer| json(&answer.value)))
}

const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwIiwiaXNzIjoib3BhIn0.XmVoLoHI3pxMtMO_WRONMSJzGUDP9pDjy8Jp0_tdRXY";

#[test]
fn functions_have_their_values() {
    let signed =
        "io.jwt.encode_sign({\"alg\": \"HS256\"}, {\"exp\": 1700000001}, {\"kty\": \"oct\", \"k\": \"c2VjcmV0\"})";
    for (query, want) in [
        ("crypto.md5(\"abc\")".to_owned(), json!("900150983cd24fb0d6963f7d28e17f72")),
        ("crypto.sha1(\"abc\")".to_owned(), json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
        (
            "crypto.sha256(\"abc\")".to_owned(),
            json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ),
        (
            "crypto.hmac.md5(\"what do ya want for nothing?\", \"Jefe\")".to_owned(),
            json!("750c783e6ab0b503eaa86e310a5db738"),
        ),
        (
            "crypto.hmac.sha256(\"what do ya want for nothing?\", \"Jefe\")".to_owned(),
            json!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ),
        ("crypto.hmac.equal(\"ab\", \"ab\")".to_owned(), json!(true)),
        (format!("io.jwt.decode(\"{TOKEN}\")[1]"), json!({"iss": "opa", "sub": "0"})),
        (format!("io.jwt.verify_hs256(\"{TOKEN}\", \"wrong\")"), json!(false)),
        (format!("io.jwt.verify_hs256({signed}, \"secret\")"), json!(true)),
        (format!("io.jwt.decode_verify({signed}, {{\"secret\": \"secret\"}})[0]"), json!(true)),
        (format!("io.jwt.decode_verify({signed}, {{\"secret\": \"other\"}})"), json!([false, {}, {}])),
        (
            format!("io.jwt.decode_verify({signed}, {{\"secret\": \"secret\", \"time\": 1700000002000000000}})[0]"),
            json!(false),
        ),
        ("regex.globs_match(\"a.a.[0-9]+z\", \".b.b2359825792*594823z\")".to_owned(), json!(true)),
        ("regex.globs_match(\"[a-z]+\", \"[0-9]*\")".to_owned(), json!(false)),
        ("net.cidr_intersects(\"10.0.0.0/8\", \"10.1.0.0/16\")".to_owned(), json!(true)),
        ("net.cidr_intersects(\"10.0.0.0/8\", \"::/0\")".to_owned(), json!(false)),
        ("net.cidr_merge([\"10.0.0.0/25\", \"10.0.0.128/25\", \"1.0.0.0/8\"])".to_owned(), json!(["1.0.0.0/8", "10.0.0.0/24"])),
        ("net.cidr_contains_matches([\"1.1.0.0/16\", \"2.0.0.0/8\"], \"1.1.1.1\")".to_owned(), json!([[0, "1.1.1.1"]])),
        ("count(net.cidr_expand(\"10.0.0.0/30\"))".to_owned(), json!(4)),
        (
            "strings.render_template(`{{range $i, $n := .xs}}{{if $i}}, {{end}}{{$n}}{{else}}none{{end}}`, {\"xs\": [\"a\", 2]})"
                .to_owned(),
            json!("a, 2"),
        ),
        ("strings.render_template(`{{.a.b}} {{- \" \" }}`, {})".to_owned(), json!("undefined")),
        ("strings.render_template(`{{.a.b}}`, {\"a\": {}})".to_owned(), json!("<undefined>")),
        ("array.flatten([1, [2, [3]]])".to_owned(), json!([1, 2, [3]])),
        ("[any([false, true]), all([true, false]), any([]), all(set())]".to_owned(), json!([true, false, false, true])),
        ("cast_array({3, 1})".to_owned(), json!([1, 3])),
        ("set_diff({1, 2}, {2})".to_owned(), json!([1])),
        ("re_match(\"^a\", \"abc\")".to_owned(), json!(true)),
        ("strings.count(\"abc\", \"\")".to_owned(), json!(4)),
        ("uuid.parse(\"00000000-0000-4000-8000-000000000000\").version".to_owned(), json!(4)),
        ("yaml.unmarshal(\"a: [1, b]\")".to_owned(), json!({"a": [1, "b"]})),
        ("json.is_valid(1)".to_owned(), json!(false)),
        ("bits.lsh(1, 40)".to_owned(), json!(1_099_511_627_776_i64)),
        ("numbers.range(3, 1)".to_owned(), json!([3, 2, 1])),
        ("numbers.range_step(1, 6, 2)".to_owned(), json!([1, 3, 5])),
        ("time.now_ns()".to_owned(), json!(1_700_000_000_000_000_000_i64)),
        ("$\"{1 + 1} {input.none} {[\"a\", {1}]}\"".to_owned(), json!("2 <undefined> [\"a\", {1}]")),
        ("plus(1, 2) + 0".to_owned(), json!(3)),
    ] {
        assert_eq!(value(&query, false).unwrap(), want, "{query}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_undefined_or_an_error() {
    for query in [
        "crypto.sha256(1)",
        "io.jwt.decode(\"a.b\")",
        "io.jwt.decode_verify(\"a.b.c\", {})",
        "io.jwt.verify_rs256(\"a.b.c\", \"no key\")",
        "io.jwt.verify_rs256(\"e30.e30.e30\", \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\")",
        "net.cidr_intersects(\"10.0.0.0/99\", \"x\")",
        "net.cidr_merge([\"::1\"])",
        "regex.globs_match(\"a]\", \"b\")",
        "strings.render_template(`{{if .a}}`, {})",
        "numbers.range(1, 100000000)",
        "bits.lsh(1, -1)",
        "uuid.parse(\"no\")",
        "yaml.unmarshal(\"a: [\")",
    ] {
        assert_eq!(value(query, false).unwrap(), json!("undefined"), "{query}");
        assert!(value(query, true).is_err(), "{query}");
    }
}
