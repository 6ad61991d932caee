#!/usr/bin/env bash
# shellcheck disable=SC2016 # scripts for tests/real.sh
# real_data.sh - programs that turn files into other files, with the library
# preloaded: data, compressors, media, documents; see tests/real.sh.
. tests/real.sh

# ---- data ------------------------------------------------------------------

program sqlite3 sqlite3 sqlite3 '
sqlite3 t.db ".mode csv" ".import $D/data.csv d" "create table e as
    select *, row_number() over (order by rowid) as n from d; create index i on e(n);
    select count(*), sum(n) from e; delete from e where n % 3 = 0; vacuum;
    select count(*) from e; pragma integrity_check; select nonsense"'
program jq jq jq '
jq -c "[group_by(.name | length)[] | {n: length, m: (map(.v) | max)}]" "$D/data.json"'
program xmllint libxml2-utils xmllint '
xmllint --format "$D/data.xml"; xmllint --xpath "count(//e[n])" "$D/data.xml"; xmllint "$D/data.csv"'
program xsltproc xsltproc xsltproc '
cat >a.xsl <<-END
	<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/>
	<xsl:template match="/"><xsl:for-each select="//e"><xsl:sort select="n"/><xsl:value-of select="concat(n, @id)"/>
	<xsl:text>&#10;</xsl:text></xsl:for-each></xsl:template></xsl:stylesheet>
END
xsltproc a.xsl "$D/data.xml"'
program tidy tidy tidy 'printf "<p>%s<b>x<i>y</b>" $(cut -d, -f2 "$D/data.csv") | tidy -q -asxml 2>&1 | md5sum'
program sort coreutils sort 'sort -t, -k3 --parallel=4 -S 200K "$D/data.csv"'
program grep grep grep 'grep -nE "([a-j]+)[0-9]*,\1" "$D/data.csv"; grep -ciP "(?<=e)5\d+,0" "$D/data.csv"; grep -oi "J[0-9]*" "$D/data.csv"'
program diff diffutils diff 'sed "s/77/88/; 5~90d" "$D/data.csv" | diff -u --label a --label b - "$D/data.csv"'
program tar tar tar 'tar cf a.tar -C "$D" data.csv data.json; tar tvf a.tar; tar xf a.tar; tar czf - a.tar | tar tzf -'
program rsync rsync rsync 'mkdir -p x/y; cp "$D"/data.* x/y; rsync -rt x/ z; date >x/y/new; rsync -rt --delete -c x/ z; rm -f x/y/new z/y/new'
program openssl openssl openssl '
openssl dgst -sha256 "$D/data.csv" | sed "s/.*=//"; openssl enc -aes-256-cbc -K $(printf %064d 7) -iv $(printf %032d 9) -in "$D/data.csv" -out e
openssl enc -d -aes-256-cbc -K $(printf %064d 7) -iv $(printf %032d 9) -in e | cmp - "$D/data.csv"
openssl genrsa -out k 1024 2>/dev/null && openssl dgst -sha1 -sign k -out s "$D/data.csv" &&
    openssl dgst -sha1 -prverify k -signature s "$D/data.csv"; rm -f k s
openssl speed -seconds 1 -bytes 64 md5 >/dev/null 2>&1; echo $?'
program gpg gpg gpg '
export GNUPGHOME=$PWD/h; mkdir -m 700 h
gpg --batch --quiet --print-md SHA512 <"$D/data.csv"; gpg --batch --quiet --store -o s "$D/data.csv" && gpg --batch --quiet --decrypt s | cmp - "$D/data.csv"
gpg --batch --quiet --enarmor <"$D/data.csv" | gpg --batch --quiet --dearmor | md5sum; rm -rf h s'
program curl curl curl 'curl -s "file://$D/data.csv" "file://$D/data.xml" | md5sum; curl -s "file://$D/nothing"'

# ---- compressors -------------------------------------------------------------

packed() # COMMAND UNPACK PACKAGE [OPTION...]
{
	local pack=$1 unpack=$2 package=$3
	shift 3
	program "$pack" "$package" "$pack" "for o in $*; do
	$pack \$o -c <\"\$D/data.json\" >p\$o; $unpack -c <p\$o | cmp - \"\$D/data.json\"; done"
}
packed gzip 'gzip -d' gzip -1 -9
packed xz 'xz -d' xz-utils -1 -T2
packed bzip2 'bzip2 -d' bzip2 -1 -9
packed zstd 'zstd -dq' zstd -3 -T2 -12
packed pigz 'pigz -d' pigz -p2 -9
packed lz4 'lz4 -dq' lz4 -1 -9
packed brotli 'brotli -d' brotli -5 -9
program 7z p7zip-full 7z:7z* '7z a -bd -mx=3 -mmt=2 a.7z "$D/data.json" >/dev/null; echo $?; 7z e -so a.7z | md5sum; rm a.7z'

# ---- sound and pictures --------------------------------------------------------

# ppm WIDTH HEIGHT
awk 'BEGIN { print "P3 160 120 255"; for (y = 0; y < 120; y++) for (x = 0; x < 160; x++)
	print (x * y) % 256, (x + 3 * y) % 256, int(128 + 127 * sin(x / 9)) }' >"$T/a.ppm"
program ffmpeg ffmpeg ffmpeg '
ffmpeg -nostdin -v error -f lavfi -i testsrc=d=1:s=160x120:r=10 -f lavfi -i sine=d=1 -threads 2 \
    -c:v mpeg4 -c:a mp2 -flags bitexact -fflags bitexact a.avi; echo $?
ffmpeg -nostdin -v error -i a.avi -vf scale=80:60,hflip -flags bitexact -f framemd5 -'
program convert imagemagick convert:convert* '
convert "$D/a.ppm" -resize 300% -blur 2x1 -rotate 30 -quality 80 -strip a.jpg; convert a.jpg -colors 16 -define png:exclude-chunks=all txt:- | md5sum
convert "$D/a.ppm" -crop 40x40 +repage gif:- | md5sum; convert nothing.png x.png'
program sox sox sox 'sox -R -n -b 16 -r 22050 a.wav synth 2 sine 300-3300 tremolo 5; sox -R a.wav b.wav reverb speed 1.3 rate 8000; sox b.wav -n stat'
program flac flac flac '
head -c 200000 "$D/data.json" >raw; flac -s -8 --force-raw-format --endian=little --sign=signed --channels=2 --bps=16 --sample-rate=44100 -o a.flac raw
flac -s -d --force-raw-format --endian=little --sign=signed -c a.flac | cmp - raw; flac -s -t raw'
program lame lame lame 'head -c 200000 "$D/data.json" | lame --quiet -r -s 44.1 - a.mp3; lame --quiet --decode a.mp3 a.wav'
program oggenc vorbis-tools oggenc 'head -c 200000 "$D/data.json" | oggenc -Q -r -s 7 -o a.ogg -; oggdec -Q -o a.wav a.ogg'
program cwebp webp cwebp 'convert "$D/a.ppm" a.png 2>/dev/null; cwebp -quiet -mt "$D/a.ppm" -o a.webp; dwebp -quiet a.webp -ppm -o b.ppm; rm -f a.png'
program cjpeg libjpeg-turbo-progs cjpeg 'cjpeg -progressive -optimize "$D/a.ppm" >a.jpg; djpeg a.jpg | md5sum'
program optipng optipng optipng 'convert "$D/a.ppm" -strip -define png:exclude-chunks=all a.png 2>/dev/null; optipng -quiet -o2 a.png; echo $?'

# ---- documents -----------------------------------------------------------------

program dot graphviz dot '
awk -F, "BEGIN { print \"digraph {\" } NR < 60 { print substr(\$2, 1, 3), \"->\", substr(\$2, length(\$2) - 1) } END { print \"}\" }" "$D/data.csv" >a.gv
dot -Tsvg a.gv; dot -Tplain -Kneato a.gv; dot -Tsvg </dev/null'
program groff groff groff '
{ echo ".TH T 1"; cut -d, -f2 "$D/data.csv" | head -n 1500 | sed "1~9i.SH X"; } >a.1; groff -man -Tascii a.1 | md5sum; groff -man -Tps a.1 | grep -vc "^%%CreationDate"'
program man man-db man '
{ echo ".TH T 1"; cut -d, -f2 "$D/data.csv" | head -n 500 | sed "1~9i.SH X"; } >a.1; MANPAGER=cat man -l ./a.1'
program gs ghostscript gs '
printf "%%!\n/Helvetica findfont 20 scalefont setfont 1 1 300 { dup 72 exch 2 mul moveto (x) show 10 mul sqrt 0 rlineto stroke } for showpage\n" >a.ps
gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=ppmraw -r30 -sOutputFile=a.ppm a.ps; gs -q -dBATCH -dNOPAUSE -sDEVICE=txtwrite -sOutputFile=- a.ps'
pdf='%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 50 100 Td (Hello, world) Tj ET  
endstream endobj 5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R/Size 6>>'
printf '%s\n' "$pdf" >"$T/a.pdf"
program pdftotext poppler-utils pdftotext 'pdftotext -layout "$D/a.pdf" - 2>&1; pdftoppm -r 40 "$D/a.pdf" p 2>/dev/null; echo $?'
program qpdf qpdf qpdf 'qpdf --static-id --object-streams=generate "$D/a.pdf" b.pdf 2>&1; qpdf --check b.pdf'
