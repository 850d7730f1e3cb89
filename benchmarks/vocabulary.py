"""The words of the invented customers: names, places, trades, remarks, in Chinese and English.

Every table that a row draws from has exactly 256 entries, so that one random byte is one choice. Persons and companies
are invented; e-mail domains are the reserved `example` ones, so that no row can reach anybody.
"""

from __future__ import annotations

from collections.abc import Sequence


def spread(words: Sequence[str] | str) -> tuple[str, ...]:
    """Return `words` (or the words of a text) in turn to 256 entries: one random byte chooses, nearly evenly."""
    chosen = words.split() if isinstance(words, str) else words
    return tuple(chosen[index % len(chosen)] for index in range(256))


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a text, once each."""
    return tuple(text.split())


SURNAMES = spread([*"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕", "欧阳", "司马"])
GIVEN = spread([*"伟芳娜敏静秀丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰志文博宇轩涵怡思嘉梓浩然欣晓"])
GIVEN_SECOND = spread([*"国建子海永新春雪梅红辉鹏飞龙云琳佳", "", "", "", "", ""])
# 64 characters, four to a company: 16.7 million different names
COMPANY_SYLLABLES = (
    "云帆恒泽启航瑞康鼎盛宏远天和百川金石东方海纳嘉禾博雅信达创景"
    "安泰润丰华美明德致诚立新卓越佳源凯旋永兴宝利通联众邦鸿益顺正昌荣福隆"
)
COMPANY_TRADES = spread("科技 贸易 实业 物流 食品 医药 电子 机械 建材 能源 网络 咨询 环保 装饰 纺织 农业")
# city, province, district: kept together
CITIES = spread(
    """上海|上海市|上海市浦东新区 北京|北京市|北京市朝阳区 天津|天津市|天津市和平区 重庆|重庆市|重庆市渝中区
    广州|广东省|广东省广州市天河区 深圳|广东省|广东省深圳市南山区 杭州|浙江省|浙江省杭州市西湖区
    南京|江苏省|江苏省南京市鼓楼区 成都|四川省|四川省成都市武侯区 武汉|湖北省|湖北省武汉市洪山区
    西安|陕西省|陕西省西安市雁塔区 长沙|湖南省|湖南省长沙市岳麓区 厦门|福建省|福建省厦门市思明区
    青岛|山东省|山东省青岛市市南区 郑州|河南省|河南省郑州市金水区 大连|辽宁省|辽宁省大连市中山区
    呼和浩特|内蒙古自治区|内蒙古自治区呼和浩特市新城区"""
)
STREETS = spread("人民路 解放路 中山路 建设大道 滨江大道 文化街 和平路 科技园路 迎宾大道 新华街")
INDUSTRIES = spread("批发零售 餐饮住宿 物流运输 医疗健康 建筑地产 制造业 教育 能源化工 金融 信息技术")
# quoted where CSV needs it
NOTES = spread(
    ["", "", "", "", "节后回访", "老客户介绍，需跟进合同", "首次来电咨询价格", "已寄样品，等待反馈"]
    + ['"要求""月结30天"""', '"展会扫码, 留下名片"', "对接人下午在", "节后回访", "", "", "", '"第一行\n第二行"']
)

FIRST_NAMES = spread(
    """Alice Bruno Carla Daniel Elena Frank Grace Hugo Irene Jonas Klara Liam Maria Nadia Oscar Paula Quentin Rosa
    Simon Teresa Umar Vera Walter Ximena Yusuf Zoë André Renée"""
)
LAST_NAMES = spread(
    """Abbott Baker Castillo Dawson Eriksen Fischer Garnier Hughes Ivanov Jansen Keller Lindqvist Moreau Novak Ortega
    Parker Quinn Rossi Sato Tanaka Ueda Vogel Walsh Xavier Young Zimmer Müller O'Neill Sørensen Fernández"""
)
# 64 words, four to a company, likewise
COMPANY_WORDS = listed(
    """Acorn Amber Anchor Apex Arrow Aspen Atlas Aurora Beacon Birch Blue Bridge Bright Canyon Cedar Citadel
    Cobalt Comet Copper Coral Crescent Crown Delta Eagle Echo Ember Falcon Fern Forge Frontier Galaxy Garnet Glacier
    Granite Harbor Hazel Horizon Indigo Iron Ivory Jade Juniper Keystone Lantern Laurel Lotus Maple Meridian Mesa Nova
    Oak Onyx Orchid Pearl Pine Quartz Raven River Saffron Sierra Silver Summit Terra Willow"""
)
COMPANY_KINDS = spread(
    ["Trading Ltd.", "Industries Inc.", "Logistics GmbH", "Foods Co., Ltd.", "Systems LLC", "Supply Co."]
)
# place and region: kept together
TOWNS = spread(
    """Bristol|England Leeds|England Austin|Texas Portland|Oregon Denver|Colorado Hamburg|Hamburg München|Bayern
    Osaka|Osaka Nagoya|Aichi Chicago|Illinois"""
)
ROADS = spread(["Harbour Road", "Mill Lane", "Station Street", "Oak Avenue", "Market Square", "College Hill"])
TRADES = spread(
    ["Wholesale and retail", "Catering and hotels", "Logistics", "Healthcare", "Manufacturing"]
    + ["Construction and property", "Education", "Energy and chemicals", "Finance", "Information technology"]
)
REMARKS = spread(
    ["", "", "", "", "", "", "asked for the price list", "sample sent; waiting"]
    + ['"wants ""net 30"""', '"met at a fair, left a card"', '"first line\nsecond line"']
)

SOURCES = spread("website referral exhibition phone store partner campaign other")
TYPES = tuple(["enterprise"] * 154 + ["individual"] * 61 + ["government"] * 32 + ["channel"] * 9)
MAIL_HEADS = spread("wang li zhang liu chen yang zhao huang zhou wu info sales office desk k.ma b_lin j-ho")
MAIL_DOMAINS = spread("example.cn example.com example.net example.org mail.example.cn corp.example.com example.com.cn")

# Prefixes wholly assigned to mobiles, and prefixes no mobile has (tests hold both against the numbering plan).
MOBILE_PREFIXES = listed(
    """130 131 132 133 134 135 136 137 138 139 145 147 150 151 152 153 155 156 157 158 159 162 165 166 167 170 171 172
    173 175 176 177 178 180 181 182 183 184 185 186 187 188 189 190 191 192 193 195 196 197 198 199"""
)
UNASSIGNED_PREFIXES = spread("140 141 142 143 144 146 148 149 154 160 163 164 168 169 179 194")
AREA_CODES = listed("206 212 213 214 303 305 310 312 404 408 415 503 512 602 615 617 646 702 713 718")
