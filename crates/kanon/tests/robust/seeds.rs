//! Good programs to begin with: each construct of each language stands in one of them.

/// expr
pub(crate) const EXPR: &[&str] = &[
    "any(object.spec.containers, .image startsWith 'docker.io/' || !(.image matches '^[a-z]+:'))",
    "let x = object?.a?.['b'][0:2] ?? [1, 2.5]; filter(x, # > 1) | map({k: #, (\"a\" + 'b'): #index}) | len() == 1",
    "if object.n > 0x1F { reduce(1..10, #acc + #, 0) } else { sum(groupBy([1,2], # % 2 == 0 ? 'a' : 'b').a) }",
    "$env[\"object\"].name not in ['a', `b`] and duration('1h') > duration('5m') // end",
    "sortBy([{a: 2}, {a: 1}], .a, 'desc')[-1].a ** 2 / 3 == toJSON(fromJSON('[1]')) ?: date('2020-01-01').Year()",
    "split(replace(object.s, 'a', \"\\u00e9\", 1), '')[1:][0] + repeat('x', 3) contains join(keys({b: nil}), ',')",
    "all(1..3, {# in [1, 2, 3]}) && none(object.spec.containers, {.image == ''}) /* c */ and count([1], # == 1) <= 1",
    "string(int('12')) + trim(' a ') | upper() | indexOf('A') ?? findLast([1, 2], # < 2) | float() | round()",
    "concat([1], flatten([[2], [3, [4]]]))[0] == min(1, 2, [3]) && uniq([1, 1]) | reverse() | first() | type() == 'int'",
    "toPairs({a: 1, b: 2}) | fromPairs() | values() | sort() | map(# * 2) | take(1) | get(0)",
];

/// CEL
pub(crate) const CEL: &[&str] = &[
    "object.spec.containers.all(c, c.image.startsWith('docker.io/') && !c.image.matches('^[a-z]+:$'))",
    "has(object.spec) && object.?a.?b.orValue([1, 2]).size() > 0 || {'a': 1u, 'b': 2u}['a'] == 1u",
    "[1, 2, 3].filter(x, x % 2 == 1).map(x, x * x).exists_one(y, y == 9) ? b'\\xff\\000' : bytes('é')",
    "timestamp('2024-02-29T00:00:00Z') + duration('1h30m') < timestamp('2025-01-01T00:00:00.123Z') && duration('1s').getMilliseconds() == 0",
    "[{'k': null}, {\"k\": 1.5e3}].map(m, m.k)[1] in [1500.0, -0.0] && type(1) == int && dyn(1) != dyn('1')",
    "object.s.split(',').map(p, p.lowerAscii().trim()).join('-').replace('a', 'b', 1).substring(0, 1).charAt(0) == r'\\d'",
    "cel.bind(x, object.n, x + x) == int('6') && string(3.0) == '3' && double('1e3') > 1 && uint(1) <= 0xFFu",
    "object.a.b.transformList(i, v, i % 2 == 0, v * 2) == [2, 6] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2}",
    "[3, 1, 2].sort() == [1, 2, 3] && math.greatest(1, 2.0) == 2.0 && sets.contains([1], [1]) && 'a%sb'.format(['x']) == 'axb'",
    "quantity('1Gi').isGreaterThan(quantity('500M')) || ip('10.0.0.1').family() == 4 || isURL('https://a/b?c=d') // end",
];

/// Rego: modules and queries.
pub(crate) const REGO: &[&str] = &[
    "input.object.n + 1 == 4",
    "[x | some x in input.object.a.b; x > 1]",
    "package policy\n\nimport rego.v1\n\ndefault allow := false\n\nallow if {\n\tinput.object.n > 2\n\tnot denied\n}\n\ndenied if some c in input.object.spec.containers; startswith(c.image, \"docker\")\n",
    "package policy\n\nimport rego.v1\n\ndeny contains msg if {\n\tsome i\n\tc := input.object.spec.containers[i]\n\tnot regex.match(`^[a-z]+$`, c.image)\n\tmsg := sprintf(\"container %d: %v\", [i, c.image])\n}\n\nby_name[name] := c if {\n\tsome c in input.object.spec.containers\n\tname := c.image\n}\n",
    "package policy\n\nimport rego.v1\n\nf(x) := y if {\n\ty := x * 2\n\tx < 10\n} else := 0\n\nall_small if every x in input.object.a.b { f(x) < 10 }\n\nsum_of := sum([y | some x in input.object.a.b; y := f(x)])\n",
    "package policy\n\nimport rego.v1\nimport input.object as o\n\np := {\"a\": {1, 2}, \"b\": [1, 2.5e3, null]} if o.n == 3 with input.object.n as 3\n\nq := object.get(p, [\"b\", 1], \"none\")\n\nr := x if { x := p.a & {2, 3} }\n\ns := json.unmarshal(\"[1, {}]\")\n# the end\n",
    "package policy\n\nimport rego.v1\n\nt := time.parse_rfc3339_ns(\"2024-02-29T00:00:00Z\")\n\nw contains split(concat(\",\", [upper(x), lower(x)]), \",\")[_] if some x in {\"a\", \"É\"}\n\ng := graph.reachable({\"a\": {\"b\"}, \"b\": set()}, {\"a\"})\n\nm := max(numbers.range(1, 10))\n",
];
