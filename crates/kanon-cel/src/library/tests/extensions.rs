//! cel-go's extensions and kro's functions.

use super::check;

#[test]
fn strings() {
    check(
        r#"
        'ta©o©αT'.charAt(2) => "©"
        'abc'.charAt(3) => ""
        'abc'.charAt(4) => error: index out of range: 4
        'hello mellow'.indexOf('') => 0
        'hello mellow'.indexOf('ello', 2) => 7
        'hello mellow'.indexOf('jello') => -1
        'hello mellow'.indexOf('ello', 20) => error: index out of range: 20
        ''.indexOf('a') => -1
        'hello mellow'.lastIndexOf('') => 12
        'hello mellow'.lastIndexOf('ello') => 7
        'hello mellow'.lastIndexOf('ello', 6) => 1
        'hello mellow'.lastIndexOf('ello', -1) => error: index out of range: -1
        'ééé'.lastIndexOf('é', 1) => 1
        ['hello', 'mellow'].join() => "hellomellow"
        ['hello', 'mellow'].join(' ') => "hello mellow"
        ['a', 1].join() => error: no such overload
        'TacoCÆt'.lowerAscii() => "tacocÆt"
        'hello hello'.replace('he', 'we') => "wello wello"
        'hello hello'.replace('he', 'we', 1) => "wello hello"
        'hello hello'.replace('he', 'we', 0) => "hello hello"
        'hello hello'.replace('', '_') => "_h_e_l_l_o_ _h_e_l_l_o_"
        'hello hello'.replace('h', '') => "ello ello"
        'hello hello hello'.split(' ') => ["hello", "hello", "hello"]
        'hello hello hello'.split(' ', 2) => ["hello", "hello hello"]
        'abc'.split('') => ["a", "b", "c"]
        'abc'.split('', 2) => ["a", "bc"]
        ''.split('') => []
        ''.split(',') => [""]
        'tacocat'.substring(4) => "cat"
        'tacocat'.substring(0, 4) => "taco"
        'tacocat'.substring(-1) => error: index out of range: -1
        'tacocat'.substring(2, 1) => error: invalid substring range
        '  trim '.trim() => "trim"
        'gums'.reverse() => "smug"
        strings.quote('a"b\n') => "\"a\\\"b\\n\""
        "#,
    );
}

#[test]
fn format() {
    check(
        r#"
        'this is a string: %s'.format(['str']) => "this is a string: str"
        '%d%%'.format([5]) => "5%"
        '%d'.format([3.5]) => "3.5"
        '%.2f'.format([2.71828]) => "2.72"
        '%f'.format([1]) => "1.000000"
        '%e'.format([1052.032911275]) => "1.052033e+03"
        '%.0e'.format([0.00012]) => "1e-04"
        '%b %b'.format([5, true]) => "101 1"
        '%x %X %x'.format([-255, 255u, 'hi']) => "-ff FF 6869"
        '%x'.format([b'\377a']) => "ff61"
        '%o'.format([-8]) => "-10"
        '%s'.format([[1, 'a', {'b': null, 'a': 2.0}]]) => "[1, a, {a: 2, b: null}]"
        '%s %s'.format([duration('1.5s'), timestamp(0)]) => "1.5s 1970-01-01T00:00:00Z"
        '%s'.format([type(1)]) => "int"
        '%s'.format([b'abc']) => "abc"
        '%s'.format([optional.none()]) => error: string clause can only be used on
        '%d'.format(['a']) => error: decimal clause can only be used on ints, uints, and doubles, was given string
        '%z'.format([1]) => error: unrecognized formatting clause "z"
        '%d %d'.format([1]) => error: index 1 out of range
        '%.3'.format([1]) => error: could not find end of precision
        '%.2000f'.format([1]) => error: precision
        '%'.format([1]) => error: unexpected end of string
        "#,
    );
}

#[test]
fn lists() {
    check(
        r#"
        [1, 2, 3, 4].slice(1, 3) => [2, 3]
        [1, 2].slice(2, 2) => []
        [1, 2].slice(1, 5) => error: cannot slice(1, 5), list is length 2
        [1, 2].slice(-1, 1) => error: negative indexes not supported
        [1, 2].slice(2, 1) => error: start index must be less
        [1, [2, [3, 4]]].flatten() => [1, 2, [3, 4]]
        [1, [2, [3, [4]]]].flatten(2) => [1, 2, 3, [4]]
        [[1]].flatten(-1) => error: level must be non-negative
        [].flatten() => []
        [3, 2, 1].sort() => [1, 2, 3]
        ['b', 'a'].sort() => ["a", "b"]
        [1, 'b'].sort() => error: list elements must have the same type
        [[1]].sort() => error: no such overload
        [].sort() => []
        [2.0, 1.0].sort() => [1.0, 2.0]
        ['foo', 'bar', 'baz'].@sortByAssociatedKeys([3, 1, 2]) => ["bar", "baz", "foo"]
        ['foo'].@sortByAssociatedKeys([3, 1]) => error: same size
        [1, 2, 2u, 'b', 2.0, 'b'].distinct() => [1, 2, "b"]
        [5, 3].reverse() => [3, 5]
        lists.range(3) => [0, 1, 2]
        lists.range(-1) => error: size must be non-negative
        "#,
    );
}

#[test]
fn sets_and_encoders() {
    check(
        r#"
        sets.contains([], []) => true
        sets.contains([], [1]) => false
        sets.contains([1, 2, 3, 4], [2.0, 3u]) => true
        sets.equivalent([1, 1], [1]) => true
        sets.equivalent([1], [1u, 1.0]) => true
        sets.equivalent([1, 2], [1]) => false
        sets.intersects([1], []) => false
        sets.intersects([[1], [2, 3]], [[1, 2], [2, 3.0]]) => true
        base64.encode(b'hello') => "aGVsbG8="
        base64.decode('aGVsbG8=') => b[104, 101, 108, 108, 111]
        base64.decode('aGVsbG8') => b[104, 101, 108, 108, 111]
        base64.decode('?') => error: illegal base64
        "#,
    );
}

#[test]
fn math() {
    check(
        r#"
        math.greatest(1, 2u, 1.5) => 2u
        math.least([5, 3, 4]) => 3
        math.least(-42) => -42
        math.greatest([]) => error: must not be empty
        math.greatest('a', 1) => error: no such overload
        math.ceil(1.2) => 2.0
        math.round(-1.5) => -2.0
        math.trunc(-1.9) => -1.0
        math.sqrt(81) => 9.0
        math.sqrt(-1.0) => NaN
        math.isInf(1.0 / 0.0) => true
        math.abs(-1) => 1
        math.abs(-9223372036854775808) => error: integer overflow
        math.sign(-0.0) => 0.0
        math.sign(3u) => 1u
        math.bitAnd(3, -2) => 2
        math.bitNot(1) => -2
        math.bitShiftLeft(1, 63) => -9223372036854775808
        math.bitShiftLeft(1, 64) => 0
        math.bitShiftRight(-1024, 2) => 4611686018427387648
        math.bitShiftRight(1, -1) => error: negative offset
        "#,
    );
}

#[test]
fn regex() {
    check(
        r#"
        regex.extract('hello world', 'hello (.*)') => some("world")
        regex.extract('item-A', 'item-\\w+') => some("item-A")
        regex.extract('bye', 'hello (.*)') => none
        regex.extract('ab', '(a)(b)') => error: more than one capturing group
        regex.extract('b', '(a)?b') => none
        regex.extractAll('id:123, id:456', 'id:(\\d+)') => ["123", "456"]
        regex.extractAll('id:123', 'x') => []
        regex.extractAll('a1b2', '[a-z]') => ["a", "b"]
        regex.replace('banana', 'a', 'x') => "bxnxnx"
        regex.replace('banana', 'a', 'x', 1) => "bxnana"
        regex.replace('banana', 'a', 'x', 0) => "banana"
        regex.replace('banana', 'a', 'x', -5) => "bxnxnx"
        regex.replace('foo bar', '(fo)o (ba)r', '\\2 \\1') => "ba fo"
        regex.replace('test', '(.)', '\\2') => error: invalid replacement string
        regex.replace('test', '(.)', '$1\\\\') => "$1\\$1\\$1\\$1\\"
        regex.replace('foo', '(', 'a') => error: error parsing regexp
        "#,
    );
}

#[test]
fn kro() {
    check(
        r#"
        json.unmarshal('{"a": 1, "b": [true, null, "x"]}') => {"a": 1.0, "b": [true, null, "x"]}
        json.unmarshal('{"a":1}').a == 1 => true
        json.unmarshal('{') => error: json.unmarshal
        json.marshal({'b': [1, 2.5, 3.0, true, null], 'a': 'x"'}) => "{\"a\":\"x\\\"\",\"b\":[1,2.5,3,true,null]}"
        json.marshal(double('NaN')) => error: no JSON form
        json.marshal({1: 2}) => error: a key of type 'int'
        json.marshal(type(1)) => error: no JSON form
        {'a': '1', 'c': '3'}.merge({'a': '2'}) => {"a": "2", "c": "3"}
        {}.merge({}) => {}
        lists.setAtIndex([1, 2, 3], 1, 9) => [1, 9, 3]
        lists.setAtIndex([1, 2, 3], 3, 9) => error: index 3 out of bounds
        lists.insertAtIndex([1, 2, 3], 0, 0) => [0, 1, 2, 3]
        lists.insertAtIndex([1, 2, 3], 3, 4) => [1, 2, 3, 4]
        lists.insertAtIndex([1, 2, 3], 4, 4) => error: out of bounds
        lists.removeAtIndex([1, 2, 3], 2) => [1, 2]
        lists.removeAtIndex([], 0) => error: out of bounds
        random.seededInt(0, 100, 'test-seed') => 56
        random.seededInt(0, 100, 'nginx-demo-v1') => 10
        random.seededInt(0, 10, 'my-app-1.29.0') => 5
        random.seededInt(5, 6, 'x') => 5
        random.seededInt(-10, 10, 'abc') => 4
        random.seededInt(5, 5, 'x') => error: must be less than
        random.seededString(8, 'test-seed') => "5czheg3o"
        random.seededString(12, 'test-seed') => "5czheg3o5czh"
        random.seededString(5, 'nginx-demo-v1') => "xypa9"
        random.seededString(0, 'a') => error: greater than 0
        omit() == true => false
        "#,
    );
}
