<?xml version="1.0" encoding="UTF-8"?>
<!-- A page of ../mod as a manual page of section 8, in the macros of man(7). Parameters: version, date (of the release). -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="US-ASCII"/>
<xsl:strip-space elements="modulesynopsis directivesynopsis contextlist summary usage section dl ul"/>
<xsl:param name="version"/>
<xsl:param name="date"/>
<xsl:variable name="upper" select="'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"/>
<xsl:variable name="lower" select="'abcdefghijklmnopqrstuvwxyz'"/>

<xsl:template match="/modulesynopsis">
<xsl:value-of select="concat('.\&quot; Made of docs/manual/mod/', name, '.xml.&#10;')"/>
<xsl:value-of select="concat('.TH ', translate(name, $lower, $upper), ' 8 ', $date, ' &quot;', name, ' ', $version, '&quot; &quot;Apache HTTP Server&quot;&#10;')"/>
<xsl:text>.nh&#10;.ad l&#10;.SH NAME&#10;</xsl:text>
<xsl:value-of select="concat(name, ' \- ')"/>
<xsl:call-template name="line"><xsl:with-param name="of" select="description"/></xsl:call-template>
<xsl:text>.SH SYNOPSIS&#10;.nf&#10;</xsl:text>
<xsl:value-of select="concat('LoadModule ', identifier, ' modules/', name, '.so&#10;')"/>
<xsl:apply-templates select="directivesynopsis" mode="synopsis"/>
<xsl:text>.fi&#10;.SH DESCRIPTION&#10;</xsl:text>
<xsl:apply-templates select="summary/*"/>
<xsl:if test="compatibility">
<xsl:text>.PP&#10;Works with </xsl:text>
<xsl:call-template name="line"><xsl:with-param name="of" select="compatibility"/><xsl:with-param name="end" select="'.'"/></xsl:call-template>
</xsl:if>
<xsl:apply-templates select="section"/>
<xsl:text>.SH DIRECTIVES&#10;</xsl:text>
<xsl:apply-templates select="directivesynopsis"/>
<xsl:text>.SH SEE ALSO&#10;</xsl:text>
<xsl:for-each select="seealso/*">
<xsl:if test="position() &gt; 1">,&#10;</xsl:if>
<xsl:call-template name="reference"/>
</xsl:for-each>
<xsl:text>,&#10;.BR apache2 (8),&#10;https://httpd.apache.org/docs/2.4/&#10;</xsl:text>
</xsl:template>

<!-- Each in a line of its own: what of it has a page, has that page's section. -->
<xsl:template name="reference">
<xsl:choose>
<xsl:when test=". = 'mod_tickets' or . = 'mod_orders' or . = 'svc-schema'"><xsl:value-of select="concat('.BR ', ., ' (8)')"/></xsl:when>
<xsl:when test="self::program"><xsl:value-of select="concat('.BR ', ., ' (1)')"/></xsl:when>
<xsl:otherwise><xsl:value-of select="concat('.B ', .)"/></xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template match="section">
<xsl:text>.SH </xsl:text>
<xsl:value-of select="translate(title, $lower, $upper)"/>
<xsl:text>&#10;</xsl:text>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>

<xsl:template match="directivesynopsis" mode="synopsis">
<xsl:call-template name="line"><xsl:with-param name="of" select="syntax"/></xsl:call-template>
</xsl:template>

<xsl:template match="directivesynopsis">
<xsl:value-of select="concat('.SS ', name, '&#10;')"/>
<xsl:call-template name="line"><xsl:with-param name="of" select="description"/><xsl:with-param name="end" select="'.'"/></xsl:call-template>
<xsl:text>.PP&#10;.nf&#10;Syntax:  </xsl:text>
<xsl:call-template name="line"><xsl:with-param name="of" select="syntax"/></xsl:call-template>
<xsl:text>Default: </xsl:text>
<xsl:choose>
<xsl:when test="default"><xsl:call-template name="line"><xsl:with-param name="of" select="default"/></xsl:call-template></xsl:when>
<xsl:otherwise>none&#10;</xsl:otherwise>
</xsl:choose>
<xsl:text>Context: </xsl:text>
<xsl:for-each select="contextlist/context"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each>
<xsl:text>&#10;.fi&#10;</xsl:text>
<xsl:apply-templates select="usage/*"/>
<xsl:if test="compatibility">
<xsl:text>.PP&#10;Compatibility: </xsl:text>
<xsl:call-template name="line"><xsl:with-param name="of" select="compatibility"/></xsl:call-template>
</xsl:if>
<xsl:if test="seealso">
<xsl:text>.PP&#10;See also </xsl:text>
<xsl:for-each select="seealso">
<xsl:if test="position() &gt; 1">, </xsl:if>
<xsl:apply-templates/>
</xsl:for-each>
<xsl:text>.&#10;</xsl:text>
</xsl:if>
</xsl:template>

<!-- Blocks. A heading is apart from what follows as it is. -->
<xsl:template name="apart">
<xsl:if test="parent::usage or preceding-sibling::*[not(self::title)]">.PP&#10;</xsl:if>
</xsl:template>
<xsl:template match="p | note">
<xsl:call-template name="apart"/>
<xsl:call-template name="line"/>
</xsl:template>
<xsl:template match="ul/li">
<xsl:text>.IP \(bu 2&#10;</xsl:text>
<xsl:call-template name="line"/>
</xsl:template>
<xsl:template match="ul | dl"><xsl:apply-templates/></xsl:template>
<xsl:template match="dt">
<xsl:text>.TP&#10;</xsl:text>
<xsl:call-template name="line"/>
</xsl:template>
<xsl:template match="dd"><xsl:call-template name="line"/></xsl:template>
<xsl:template match="highlight">
<xsl:call-template name="apart"/>
<xsl:text>.RS 4&#10;.nf&#10;</xsl:text>
<xsl:call-template name="lines"><xsl:with-param name="text" select="substring-after(., '&#10;')"/></xsl:call-template>
<xsl:text>.fi&#10;.RE&#10;</xsl:text>
</xsl:template>
<xsl:template match="example">
<xsl:call-template name="apart"/>
<xsl:text>.RS 4&#10;.nf&#10;</xsl:text>
<xsl:for-each select="text()[normalize-space(.)]">
<xsl:call-template name="lines"><xsl:with-param name="text" select="concat(normalize-space(.), '&#10;')"/></xsl:call-template>
</xsl:for-each>
<xsl:text>.fi&#10;.RE&#10;</xsl:text>
</xsl:template>

<!-- Inline. -->
<xsl:template match="code | program | module | directive">
<xsl:text>\fB</xsl:text><xsl:apply-templates/><xsl:text>\fR</xsl:text>
</xsl:template>
<xsl:template match="em | var">
<xsl:text>\fI</xsl:text><xsl:apply-templates/><xsl:text>\fR</xsl:text>
<xsl:if test="ancestor::code">\fB</xsl:if>
</xsl:template>
<xsl:template match="a"><xsl:apply-templates/> (<xsl:value-of select="@href"/>)</xsl:template>
<xsl:template match="text()">
<xsl:call-template name="escape">
<xsl:with-param name="text" select="."/>
<xsl:with-param name="literal" select="ancestor::code or ancestor::syntax or ancestor::default or ancestor::program or ancestor::var"/>
</xsl:call-template>
</xsl:template>

<!-- What a node has inside, as one line of input. -->
<xsl:template name="line">
<xsl:param name="of" select="."/>
<xsl:param name="end"/>
<xsl:variable name="text"><xsl:apply-templates select="$of/node()"/></xsl:variable>
<xsl:if test="contains(&quot;.'&quot;, substring(normalize-space($text), 1, 1))">\&amp;</xsl:if>
<xsl:value-of select="concat(normalize-space($text), $end, '&#10;')"/>
</xsl:template>

<!-- Lines as they are. -->
<xsl:template name="lines">
<xsl:param name="text"/>
<xsl:if test="contains($text, '&#10;')">
<xsl:variable name="line" select="substring-before($text, '&#10;')"/>
<xsl:if test="$line != '' and contains(&quot;.'&quot;, substring($line, 1, 1))">\&amp;</xsl:if>
<xsl:call-template name="escape">
<xsl:with-param name="text" select="$line"/>
<xsl:with-param name="literal" select="true()"/>
</xsl:call-template>
<xsl:text>&#10;</xsl:text>
<xsl:call-template name="lines"><xsl:with-param name="text" select="substring-after($text, '&#10;')"/></xsl:call-template>
</xsl:if>
</xsl:template>

<!-- What roff reads otherwise than it is written; in what is literal also what it would typeset. -->
<xsl:template name="escape">
<xsl:param name="text"/>
<xsl:param name="literal"/>
<xsl:variable name="first" select="substring($text, 1, 1)"/>
<xsl:variable name="special" select="concat('\', substring(&quot;-'^~`&quot;, 1, 5 * $literal))"/>
<xsl:choose>
<xsl:when test="$text = translate($text, $special, '')"><xsl:value-of select="$text"/></xsl:when>
<xsl:otherwise>
<xsl:choose>
<xsl:when test="not(contains($special, $first))"><xsl:value-of select="$first"/></xsl:when>
<xsl:when test="$first = '\'">\e</xsl:when>
<xsl:when test="$first = '-'">\-</xsl:when>
<xsl:when test="$first = '^'">\(ha</xsl:when>
<xsl:when test="$first = '~'">\(ti</xsl:when>
<xsl:when test="$first = '`'">\(ga</xsl:when>
<xsl:otherwise>\(aq</xsl:otherwise>
</xsl:choose>
<xsl:call-template name="escape">
<xsl:with-param name="text" select="substring($text, 2)"/>
<xsl:with-param name="literal" select="$literal"/>
</xsl:call-template>
</xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template match="*">
<xsl:message terminate="yes">man.xsl does not know <xsl:value-of select="name()"/></xsl:message>
</xsl:template>
</xsl:stylesheet>
