//! Kubernetes' libraries.

use super::check;

#[test]
fn lists() {
    check(
        r#"
        [1, 2, 3].isSorted() => true
        ['c', 'b'].isSorted() => false
        [].isSorted() => true
        [1, 3].sum() => 4
        [1.0, 3.0].sum() => 4.0
        [duration('1m'), duration('1s')].sum() => 61s
        [].sum() => 0
        [9223372036854775807, 1].sum() => error: integer overflow
        [1, 3].min() => 1
        ['a', 'c', 'b'].max() => "c"
        [].min() => error: min called on empty list
        [1, 2, 2, 3].indexOf(2) => 1
        [1, 2, 2, 3].lastIndexOf(2) => 2
        ['a'].indexOf('b') => -1
        "#,
    );
}

#[test]
fn regex() {
    check(
        r#"
        'abc 123'.find('[0-9]+') => "123"
        'abc'.find('[0-9]+') => ""
        '123 abc 456'.findAll('[0-9]+') => ["123", "456"]
        '123 abc 456'.findAll('[0-9]+', 1) => ["123"]
        '123 abc 456'.findAll('[0-9]+', 0) => []
        'abc'.findAll('x') => []
        "#,
    );
}

#[test]
fn urls() {
    check(
        r#"
        isURL('https://user:pass@example.com:80/path?query=val#fragment') => true
        isURL('/absolute-path') => true
        isURL('https://a:b:c/') => false
        isURL('../relative-path') => false
        isURL('') => false
        isURL('https://example.com/%zz') => false
        isURL('https://exa mple.com/') => false
        url('../relative-path') => error: URL parse error
        url('/path').getScheme() => ""
        url('HTTPS://example.com/').getScheme() => "https"
        url('https://example.com:80/').getHost() => "example.com:80"
        url('https://[::1]:80/').getHost() => "[::1]:80"
        url('https://[::1]/').getHost() => "[::1]"
        url('/path').getHost() => ""
        url('https://example.com:80/').getHostname() => "example.com"
        url('https://[::1]:80/').getHostname() => "::1"
        url('https://user@example.com:80/').getPort() => "80"
        url('https://[::1]/').getPort() => ""
        url('https://example.com/path').getEscapedPath() => "/path"
        url('https://example.com/path with spaces/').getEscapedPath() => "/path%20with%20spaces/"
        url('https://example.com/a%2Fb').getEscapedPath() => "/a%2Fb"
        url('https://example.com').getEscapedPath() => ""
        url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() => {"k1": ["a"], "k2": ["b", "c"]}
        url('https://example.com/path?key with spaces=value+x').getQuery() => {"key with spaces": ["value x"]}
        url('https://example.com/path?').getQuery() => {}
        url('https://example.com/path?a=%zz&b').getQuery() => {"b": [""]}
        url('mailto:a@b').getHost() => ""
        url('https://example.com') == url('https://example.com') => true
        "#,
    );
}

#[test]
fn quantities() {
    check(
        r#"
        isQuantity('1.3G') => true
        isQuantity('1.3Gi') => true
        isQuantity('1,3G') => false
        isQuantity('10000k') => true
        isQuantity('200K') => false
        isQuantity('Three') => false
        isQuantity('Mi') => false
        isQuantity('') => false
        isQuantity('.') => false
        isQuantity('1e3') => true
        isQuantity('1E') => true
        isQuantity('1e') => false
        quantity('Three') => error: quantities must match
        quantity('200K') => error: unable to parse quantity's suffix
        quantity('50000000G').isInteger() => true
        quantity('50k').isInteger() => true
        quantity('1.5').isInteger() => false
        quantity('9999999999999999999999999999999999999G').isInteger() => false
        quantity('9999999999999999999999999999999999999G').asInteger() => error: cannot convert value to integer
        quantity('50k').asInteger() => 50000
        quantity('1Mi').asInteger() => 1048576
        quantity('50k').sub(20000).asApproximateFloat() => 30000.0
        quantity('1.5Gi').asApproximateFloat() => 1610612736.0
        quantity('50k').add(quantity('20k')) == quantity('70k') => true
        quantity('50k').add(20) == quantity('50020') => true
        quantity('50k').sub(quantity('20k')) == quantity('30k') => true
        quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20') => true
        quantity('200M').compareTo(quantity('0.2G')) => 0
        quantity('50M').compareTo(quantity('50Mi')) => -1
        quantity('50Mi').compareTo(quantity('50M')) => 1
        quantity('150Mi').isGreaterThan(quantity('100Mi')) => true
        quantity('50M').isLessThan(quantity('100M')) => true
        quantity('-1').sign() => -1
        sign(quantity('0')) => 0
        quantity('1e300').add(quantity('1n')) => error: quantity out of range
        quantity('1Ki') == quantity('1024') => true
        quantity('16Ei').compareTo(quantity('8Ei')) => 0
        quantity('1') == 1 => false
        type(quantity('1')) == kubernetes.Quantity => true
        "#,
    );
}

#[test]
fn addresses() {
    check(
        r#"
        isIP('127.0.0.1') => true
        isIP('::1') => true
        isIP('127.0.0.256') => false
        isIP('01.0.0.1') => false
        isIP('::ffff:1.2.3.4') => false
        ip('::ffff:1.2.3.4') => error: IPv4-mapped IPv6 address
        ip('fe80::1%eth0') => error: zone value is not allowed
        ip('2001:DB8::1') => net.IP(2001:db8::1)
        ip.isCanonical('2001:db8:0:0:0:0:0:1') => false
        ip.isCanonical('127.0.0.1') => true
        ip('224.0.0.1').isLinkLocalMulticast() => true
        ip('169.254.169.254').isLinkLocalUnicast() => true
        ip('10.0.0.1').isGlobalUnicast() => true
        ip('::1').isLoopback() => true
        ip('0.0.0.0').isUnspecified() => true
        isCIDR('192.168.0.0/24') => true
        isCIDR('192.168.0.0/33') => false
        isCIDR('192.168.0.0/+4') => false
        isCIDR('192.168.0.0/04') => false
        isCIDR('192.168.0.0') => false
        cidr('192.168.0.5/24').ip() => net.IP(192.168.0.5)
        cidr('192.168.0.5/24').masked() => net.CIDR(192.168.0.0/24)
        cidr('0.0.0.0/0').containsIP('1.2.3.4') => true
        cidr('::/0').containsIP('1.2.3.4') => false
        cidr('192.168.0.0/24').containsIP('x') => error: parse error
        cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25') => true
        cidr('192.168.0.0/24').containsCIDR('192.168.0.0/16') => false
        cidr('::1/128').prefixLength() => 128
        string(cidr('10.0.0.0/8')) => "10.0.0.0/8"
        string(ip('10.0.0.1')) => "10.0.0.1"
        "#,
    );
}

#[test]
fn semver() {
    check(
        r#"
        isSemver('1.0.0') => true
        isSemver('hello') => false
        isSemver('v1.0') => false
        isSemver('v1.0', true) => true
        semver('1.0', true) => kubernetes.Semver(1.0.0)
        semver('01.01.01', true) => kubernetes.Semver(1.1.1)
        semver('1.0-a', true) => error: short version cannot contain
        semver('01.0.0') => error: invalid semantic version
        semver('0.1.0-alpha.1').minor() => 1
        semver('1.2.3').major() => 1
        semver('1.2.3').patch() => 3
        semver('1.2.3').compareTo(semver('1.2.3')) => 0
        semver('1.2.3').compareTo(semver('2.0.0')) => -1
        semver('1.2.3-beta').isLessThan(semver('1.2.3')) => true
        semver('1.10.0').isGreaterThan(semver('1.9.0')) => true
        semver('1.0.0+a') == semver('1.0.0+b') => true
        "#,
    );
}

#[test]
fn formats() {
    check(
        r#"
        format.dns1123Label().validate('my-label') => none
        format.dns1123Label().validate('a.b') => some(["must not contain dots"])
        format.named('dns1123Label').value().validate('my-label') => none
        format.named('unknown') => none
        format.dns1123LabelPrefix().validate('my-label-') => none
        format.dns1123Label().validate('my-label-').hasValue() => true
        format.dns1123Subdomain().validate('apiextensions.k8s.io') => none
        format.dns1123Subdomain().validate('a..b').hasValue() => true
        format.dns1035Label().validate('1a').hasValue() => true
        format.qualifiedName().validate('apiextensions.k8s.io/v1beta1') => none
        format.qualifiedName().validate('/a') => some(["prefix part must be non-empty"])
        format.labelValue().validate('') => none
        format.labelValue().validate('-a').hasValue() => true
        format.uri().validate('http://example.com') => none
        format.uri().validate('x') => some(["parse \"x\": invalid URI for request"])
        format.uuid().validate('123e4567-e89b-12d3-a456-426614174000') => none
        format.uuid().validate('123') => some(["does not match the UUID format"])
        format.byte().validate('aGVsbG8=') => none
        format.byte().validate('?') => some(["invalid base64"])
        format.date().validate('2021-01-01') => none
        format.date().validate('2021-02-30') => some(["invalid date"])
        format.datetime().validate('2021-01-01T00:00:00Z') => none
        format.datetime().validate('2021-01-01T00:00:00.5+01:00') => none
        format.datetime().validate('2021-01-01 00:00:00Z') => some(["invalid datetime"])
        "#,
    );
}
