# Makes these certificates anew: two authorities, an engine's certificate for the loopback, and a client's from each authority.
# They protect nothing, and hold for a hundred years, whatever the clock of a test machine says. Run in this folder.
set -e
place=$(mktemp -d)
printf '%s\n' '[ca]' 'default_ca = here' '[here]' "database = $place/index" "new_certs_dir = $place" 'rand_serial = yes' \
    'default_md = sha256' 'policy = any' '[any]' 'commonName = supplied' >"$place/config"
: >"$place/index"

# made NAME AUTHORITY EXTENSIONS
made() {
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=forgescale test $1" -out "$place/request"
    printf '%s\n' "$3" >"$place/extensions"
    if [ "$1" = "$2" ]; then by='-selfsign'; else by="-cert $2.pem"; fi
    openssl ca -batch -notext -config "$place/config" -keyfile "$2.key" $by -in "$place/request" -out "$1.pem" \
        -extfile "$place/extensions" -startdate 20200101000000Z -enddate 21200101000000Z
}
made ca ca 'basicConstraints=critical,CA:TRUE'
made other-ca other-ca 'basicConstraints=critical,CA:TRUE'
made engine ca 'subjectAltName=IP:127.0.0.1,DNS:localhost
extendedKeyUsage=serverAuth'
made client ca 'extendedKeyUsage=clientAuth'
made other-client other-ca 'extendedKeyUsage=clientAuth'
rm -r "$place" ca.key other-ca.key
