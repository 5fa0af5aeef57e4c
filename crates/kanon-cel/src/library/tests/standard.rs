//! Operators, conversions, sizes, time.

use super::check;

#[test]
fn operators() {
    check(
        r#"
        1 + 2 => 3
        9223372036854775807 + 1 => error: integer overflow
        0u - 1u => error: unsigned integer overflow
        1 / 0 => error: division by zero
        1 % 0 => error: modulus by zero
        -9223372036854775808 / -1 => error: integer overflow
        1.0 / 0.0 => inf
        1 + 1.0 => error: no such overload
        [1] + [2, 'a'] => [1, 2, "a"]
        b'a' + b'b' => b[97, 98]
        1 == 1.0 => true
        1u == 1 => true
        'a' == 1 => false
        [1, 2u] == [1.0, 2] => true
        {'a': 1} == {'a': 1.0} => true
        {1: 2} == {1u: 2} => true
        {'a': 1} == {'b': 1} => false
        double('NaN') == double('NaN') => false
        1 < 1.5 => true
        2u > -1 => true
        1.0 < double('NaN') => error: NaN
        'a' < 1 => error: no such overload
        [1] < [2] => error: no such overload
        false < true => true
        [1, 2, 3][1] => 2
        [1, 2, 3][1.0] => 2
        [1, 2, 3][3] => error: index out of bounds: 3
        [1][-1] => error: index out of bounds: -1
        [1]['a'] => error: unsupported index type 'string'
        {'a': 1}['b'] => error: no such key: b
        {'a': 1}.b => error: no such key: b
        {1u: 'x'}[1.0] => "x"
        {1: 2, 1u: 3} => error: repeated key
        {1.5: 2} => error: unsupported key type
        2u in [1, 2] => true
        'a' in {'a': 1} => true
        1 in 2 => error: no such overload
        {'a': {'b': 1}}.?a.b => some(1)
        {'a': {'b': 1}}.?c.b => none
        [1][?5] => none
        optional.of([7])[0] => some(7)
        -duration('1h') => -3600s
        "#,
    );
}

#[test]
fn sizes_types_and_tests_of_text() {
    check(
        r#"
        size('é') => 1
        'éa'.size() => 2
        size(b'\303\277') => 2
        size([1, 2]) => 2
        {'a': 1}.size() => 1
        size(1) => error: no such overload
        type([]) => list
        type(type(1)) => type
        type(duration('1s')) => google.protobuf.Duration
        type(optional.none()) => optional_type
        dyn(1) => 1
        'abc'.contains('bc') => true
        'abc'.startsWith('ab') => true
        'abc'.endsWith('b') => false
        'abc'.matches('^a.c$') => true
        matches('abc', 'd') => false
        'a'.matches('(') => error: error parsing regexp
        "#,
    );
}

#[test]
fn conversions() {
    check(
        r#"
        int('-5') => -5
        int('5.0') => error: type conversion error from 'string' to 'int'
        int(2.9) => 2
        int(9223372036854775807.0) => error: integer overflow
        int(double('NaN')) => error: integer overflow
        int(duration('1.5s')) => 1500000000
        int(timestamp('1969-12-31T23:59:59.5Z')) => -1
        uint(-1) => error: unsigned integer overflow
        uint('+1') => error: type conversion
        uint(1.9) => 1u
        double('1e400') => error: type conversion
        double('inf') => inf
        double('-Infinity') => -inf
        double(7u) => 7.0
        string(1e6) => "1e+06"
        string(123456.5) => "123456.5"
        string(0.00001) => "1e-05"
        string(0.0001) => "0.0001"
        string(-0.0) => "-0"
        string(double('inf')) => "+Inf"
        string(true) => "true"
        string(b'\377') => error: invalid UTF-8
        string(duration('1h1.5s')) => "3601.5s"
        string(timestamp('2023-01-01T10:00:00.120+02:00')) => "2023-01-01T08:00:00.12Z"
        string(timestamp('9999-12-31T23:59:59.999999999Z')) => "9999-12-31T23:59:59.999999999Z"
        bytes('é') => b[195, 169]
        bool('T') => true
        bool('yes') => error: type conversion error from 'string' to 'bool'
        timestamp(0) => 1970-01-01T00:00:00Z
        timestamp('2023-02-29T00:00:00Z') => error: type conversion
        timestamp('2023-02-28 00:00:00Z') => error: type conversion
        timestamp('0001-01-01T00:00:00Z') => 0001-01-01T00:00:00Z
        timestamp('0000-12-31T00:00:00Z') => error: timestamp overflow
        timestamp(253402300800) => error: timestamp overflow
        duration('1h30m') => 5400s
        duration('-1.5h') => -5400s
        duration('1') => error: type conversion
        duration('') => error: type conversion
        duration('.5s') => 0.5s
        duration('1ns') => 0.000000001s
        duration('9223372036854775807ns') => 9223372036.854776s
        duration('9223372036854775808ns') => error: type conversion
        duration('1d') => error: type conversion
        duration(1000000000) => 1s
        "#,
    );
}

#[test]
fn time() {
    check(
        r#"
        timestamp('2009-02-13T23:31:30.5Z').getMilliseconds() => 500
        timestamp('2009-02-13T23:31:30Z').getDayOfWeek() => 5
        timestamp('2009-02-13T23:31:30Z').getDayOfYear() => 43
        timestamp('2009-02-13T23:31:30Z').getDate('+11:00') => 14
        timestamp('2009-02-13T23:31:30Z').getHours('02:00') => 1
        timestamp('2009-02-13T23:31:30Z').getMinutes('-00:30') => 1
        timestamp('2023-07-01T12:00:00Z').getHours('Europe/Berlin') => 14
        timestamp('2023-01-01T12:00:00Z').getHours('Europe/Berlin') => 13
        timestamp('2023-01-01T12:00:00Z').getHours('Mars/Phobos') => error: unknown time zone
        timestamp('2023-01-01T12:00:00Z').getHours('a:b') => error: ±hh:mm
        timestamp('9999-12-31T23:59:59Z').getFullYear() => 9999
        timestamp('9999-12-31T23:59:59Z').getFullYear('Asia/Tokyo') => error: timestamp overflow
        duration('3h30m').getHours() => 3
        duration('3h30m').getMinutes() => 210
        duration('-90s').getMinutes() => -1
        duration('1.5s').getMilliseconds() => 1500
        timestamp('9999-12-31T23:59:59Z') - timestamp('9999-12-31T23:59:00Z') => 59s
        timestamp('9999-12-31T23:59:59Z') > timestamp('2023-01-01T00:00:00Z') => true
        timestamp('2023-01-01T00:00:00Z') < timestamp('9999-12-31T23:59:59Z') => true
        timestamp('9999-12-31T23:59:59Z') == timestamp(253402300799) => true
        timestamp('9999-12-31T23:59:59Z') + duration('1s') => error: timestamp overflow
        timestamp('9999-12-31T23:59:59Z') - duration('48h') => 9999-12-29T23:59:59Z
        timestamp('9999-12-31T00:00:00Z') - timestamp('0001-01-01T00:00:00Z') => error: duration overflow
        "#,
    );
}

#[test]
fn optionals() {
    check(
        r#"
        optional.of(1).value() => 1
        optional.none().value() => error: optional.none() dereference
        optional.none().orValue(2) => 2
        optional.of(1).orValue(2) => 1
        optional.none().or(optional.of(3)) => some(3)
        optional.ofNonZeroValue(0) => none
        optional.ofNonZeroValue('') => none
        optional.ofNonZeroValue([]) => none
        optional.ofNonZeroValue(duration('0s')) => none
        optional.ofNonZeroValue(timestamp('0001-01-01T00:00:00Z')) => none
        optional.ofNonZeroValue([0]) => some([0])
        optional.of(null).hasValue() => true
        optional.unwrap([optional.of(1), optional.none(), optional.of(2)]) => [1, 2]
        [optional.none()].unwrapOpt() => []
        [1, 2].first() => some(1)
        [1, 2].last() => some(2)
        [].first() => none
        optional.of(1) == optional.of(1.0) => true
        optional.none() == optional.none() => true
        "#,
    );
}
