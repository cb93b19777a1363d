<?xml version="1.0" encoding="UTF-8"?>
<!-- A page of ../mod as HTML: one file that needs no other. Parameter: version. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8" doctype-system="about:legacy-compat" indent="no"/>
<xsl:strip-space elements="modulesynopsis directivesynopsis contextlist summary usage section dl ul"/>
<xsl:param name="version"/>
<xsl:variable name="upper" select="'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"/>
<xsl:variable name="lower" select="'abcdefghijklmnopqrstuvwxyz'"/>
<xsl:variable name="httpd" select="'https://httpd.apache.org/docs/2.4/'"/>

<xsl:template match="/modulesynopsis">
<html lang="en">
<head>
<title><xsl:value-of select="name"/> - Apache HTTP Server</title>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<style>
body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
h1, h2, h3 { line-height: 1.2; color: #0b3d6b }
h2 { margin-top: 2em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1em 0 }
th { text-align: left; vertical-align: top; padding: .1em 1.5em .1em 0; white-space: nowrap }
pre { background: #f4f4f4; padding: .8em 1em; overflow-x: auto }
.note { border-left: .3em solid #0b3d6b; padding-left: 1em }
dt { font-weight: bold }
</style>
</head>
<body>
<h1>Apache module <xsl:value-of select="name"/></h1>
<table>
<tr><th scope="row">Description</th><td><xsl:apply-templates select="description"/></td></tr>
<tr><th scope="row">Status</th><td><xsl:value-of select="status"/></td></tr>
<tr><th scope="row">Module identifier</th><td><code><xsl:value-of select="identifier"/></code></td></tr>
<tr><th scope="row">Source file</th><td><code><xsl:value-of select="sourcefile"/></code></td></tr>
<xsl:apply-templates select="compatibility"/>
<tr><th scope="row">Version</th><td><xsl:value-of select="$version"/></td></tr>
</table>
<h2 id="summary">Summary</h2>
<xsl:apply-templates select="summary"/>
<h2 id="topics">On this page</h2>
<ul>
<xsl:for-each select="section"><li><a href="#{@id}"><xsl:apply-templates select="title/node()"/></a></li></xsl:for-each>
<xsl:for-each select="directivesynopsis">
<li><a href="#{translate(name, $upper, $lower)}"><xsl:value-of select="name"/></a></li>
</xsl:for-each>
</ul>
<xsl:if test="seealso">
<h2 id="seealso">See also</h2>
<ul><xsl:apply-templates select="seealso"/></ul>
</xsl:if>
<xsl:apply-templates select="section | directivesynopsis"/>
</body>
</html>
</xsl:template>

<xsl:template match="section">
<h2 id="{@id}"><xsl:apply-templates select="title/node()"/></h2>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>

<xsl:template match="directivesynopsis">
<h2 id="{translate(name, $upper, $lower)}"><xsl:value-of select="name"/> directive</h2>
<table>
<tr><th scope="row">Description</th><td><xsl:apply-templates select="description"/></td></tr>
<tr><th scope="row">Syntax</th><td><code><xsl:apply-templates select="syntax"/></code></td></tr>
<tr><th scope="row">Default</th><td>
<xsl:choose>
<xsl:when test="default"><code><xsl:value-of select="default"/></code></xsl:when>
<xsl:otherwise>none</xsl:otherwise>
</xsl:choose></td></tr>
<tr><th scope="row">Context</th><td>
<xsl:for-each select="contextlist/context"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each>
</td></tr>
<tr><th scope="row">Status</th><td><xsl:value-of select="status"/></td></tr>
<tr><th scope="row">Module</th><td><xsl:value-of select="/modulesynopsis/name"/></td></tr>
<xsl:apply-templates select="compatibility"/>
</table>
<xsl:apply-templates select="usage"/>
<xsl:if test="seealso">
<h3>See also</h3>
<ul><xsl:apply-templates select="seealso"/></ul>
</xsl:if>
</xsl:template>

<xsl:template match="compatibility">
<tr><th scope="row">Compatibility</th><td><xsl:apply-templates/></td></tr>
</xsl:template>
<xsl:template match="seealso"><li><xsl:apply-templates/></li></xsl:template>
<xsl:template match="description | syntax | summary | usage"><xsl:apply-templates/></xsl:template>
<xsl:template match="p | ul | li | dl | dt | dd | em | code | var">
<xsl:element name="{name()}"><xsl:apply-templates/></xsl:element>
</xsl:template>
<xsl:template match="a"><a href="{@href}"><xsl:apply-templates/></a></xsl:template>
<xsl:template match="note"><p class="note"><xsl:apply-templates/></p></xsl:template>
<xsl:template match="highlight"><pre><code><xsl:value-of select="substring-after(., '&#10;')"/></code></pre></xsl:template>
<xsl:template match="example"><pre><code><xsl:apply-templates/></code></pre></xsl:template>
<xsl:template match="example/text()"><xsl:value-of select="normalize-space(.)"/></xsl:template>
<xsl:template match="br"><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="program"><code><xsl:apply-templates/></code></xsl:template>

<!-- To the other page of this manual, or to httpd's. -->
<xsl:template match="module">
<xsl:call-template name="link"><xsl:with-param name="module" select="string(.)"/></xsl:call-template>
</xsl:template>
<xsl:template match="directive">
<xsl:variable name="name" select="concat(@name, substring(., 1, string-length(.) * not(@name)))"/>
<xsl:if test="not(@module) and not(/modulesynopsis/directivesynopsis[name = $name])">
<xsl:message terminate="yes">this page has no directive <xsl:value-of select="$name"/></xsl:message>
</xsl:if>
<xsl:call-template name="link">
<xsl:with-param name="module" select="string(@module)"/>
<xsl:with-param name="anchor" select="concat('#', translate($name, $upper, $lower))"/>
</xsl:call-template>
</xsl:template>
<xsl:template name="link">
<xsl:param name="module"/>
<xsl:param name="anchor"/>
<xsl:variable name="page">
<xsl:choose>
<xsl:when test="$module = ''"/>
<xsl:when test="$module = 'mod_tickets' or $module = 'mod_orders'"><xsl:value-of select="concat($module, '.html')"/></xsl:when>
<xsl:otherwise><xsl:value-of select="concat($httpd, 'mod/', $module, '.html')"/></xsl:otherwise>
</xsl:choose>
</xsl:variable>
<a href="{$page}{$anchor}"><code><xsl:value-of select="."/></code></a>
</xsl:template>

<xsl:template match="*">
<xsl:message terminate="yes">html.xsl does not know <xsl:value-of select="name()"/></xsl:message>
</xsl:template>
</xsl:stylesheet>
