# What Java trusts here, and the authorities of TRUSTED_CERTIFICATES: one that a directory's certificate is signed by is
# seldom public, and a store of those alone would take the others away. Java reads one certificate an entry.
if [ -n "$(printenv TRUSTED_CERTIFICATES)" ]; then
    store=/tmp/omero-trust-store
    java=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
    cp "$java/lib/security/cacerts" "$store.new"
    chmod 600 "$store.new"
    printenv TRUSTED_CERTIFICATES | csplit -s -z -f "$store.part" - '/-----BEGIN CERTIFICATE-----/' '{*}'
    for part in "$store".part*; do
        keytool -importcert -noprompt -storepass changeit -keystore "$store.new" -alias "$(basename "$part")" \
            -file "$part" 2>&1
    done
    rm "$store".part*
    mv "$store.new" "$store"
fi
# Says which step to the directory fails; OMERO.server starts all the same, for root and others log in without it.
if [ -n "$(printenv LDAP_CHECK)" ]; then
    /opt/omero/server/venv3/bin/python -c \
        'import base64, bz2, os; exec(bz2.decompress(base64.b64decode(os.environ["LDAP_CHECK"])))' 2>&1 |
        sed -u "s/^/LDAP | /" &
fi
