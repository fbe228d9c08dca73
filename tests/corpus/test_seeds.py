"""The five seed newsletters, read by eye: every expectation here comes from the printed files."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from rag.corpus.articles import ParsedIssue, parse
from rag.corpus.layouts import Layout
from rag.schema import Article

SEEDS = Path(__file__).parents[2] / "seeds"
FILES = {
    0: "000_4690d5d1988d270e.txt",
    1: "001_6b9dbb8f10a053fd.txt",
    2: "002_016fa9aa2782364e.txt",
    3: "003_2c772682ae5b0987.txt",
    4: "004_4a5bf2f4fdadbd88.txt",
}

# column | title | source | start page, from the tables of contents
ARTICLES = {
    0: """
资讯前沿 | 日本流感、禽流感“双暴发”：多家医院爆满！ | 微信号：医改界 | 3
各地动态 | 多地公布2025年医疗工作重点 | 微信号：医学界智库 | 4
各地动态 | 多地明确推动资源向基层倾斜 | 健康报、微信号：体外诊断快讯CAIVD、县域和基层医声 | 6
各地动态 | 北京：推进医保基金即时结算 赋能医药机构发展 | 微信号：医管新世界 | 8
各地动态 | 江西发布2025年“三医”协同十大便民惠民举措 | 萍乡发布 | 9
专家之声 | 卫生健康区域一体化发展，要从具体项目的协同共建转向制度体系的融合共建 | | 11
""",
    1: """
资讯前沿 | 中医药振兴发展重点任务重大工程项目“双过半” | 中国中医药报 | 3
资讯前沿 | 2024年底力争超80%新生儿在出生当年参保 | 新华社、中国卫生杂志 | 4
各地动态 | 山西117个县实现县级医疗集团全覆盖 | 中国卫生杂志 | 5
各地动态 | 辽宁实施“优质服务基层行”活动：每年新增社区医院19个以上 | 沈阳网 | 7
各地动态 | 上海社区卫生服务中心推进上级医院号源“早预约”，紧急情况“预约早” | 上观新闻、新民晚报 | 8
热点关注 | 聚焦两会，关注卫生健康相关热点 | | 10
""",
    2: """
医院管理 | 医院如何才能用好DeepSeek？ | HIT专家网 | 6
医院管理 | 医院信息系统成熟度评估“六问” | 腾讯云计算 | 10
中医药服务 | 以“中医药+人工智能”推动广西中医药现代化发展 | 广西壮族自治区中医药管理局 | 17
中医药服务 | 中医院扶持乡镇卫生院中医科建设的探讨 | 中国中医药报 | 20
医保快讯 | 医保商保同步结算，全国多地试点的新模式怎么样了？ | 中央广播电视总台中国之声 | 29
医保快讯 | 21项立项指南印发，助力构建公平可持续的医疗服务新生态 | 中国医疗保险 | 34
地市精彩 | 200种中药配方颗粒北京可报销！医保支付有了新标准？ | 医药经济报 | 41
地市精彩 | ７款创新药械获批，北京医药健康抢跑高质量发展“开局” | 中国新闻网 | 47
分析解读 | 数字健康绘就民生新图景 | 健康报 | 50
分析解读 | 县级医院医疗设备采购复苏 | 医药经济报 | 57
""",
    3: """
中医药服务 | 2025年中医药工作有何新愿景？32位地方主任局长这样展望！ | 中国中医药报 | 7
中医药服务 | “中医药+”带动湖南康养旅游创新发展 | 中国中医药报 | 44
医保快讯 | 全国医保智能监管体系构建中，地方如何同步推进监管升级？ | 中国医疗保险 | 49
医保快讯 | 医保新规落地，影响所有的医院、医生！ | 健康中国 | 54
医药专栏 | 自愿互惠，打通药耗追溯信息全链条....这场发布会说了什么？ | 中国医疗保险 | 58
医药专栏 | 定点零售药店的这些问题，将重点查处 | 第一药店 | 64
医疗速递 | 从智慧医疗看，医院信息如何互联、怎样互通？ | 科进软件 | 71
医疗速递 | 国家出手！2025年医疗机构回款大提速 | 新浪医药新闻 | 75
国际视野 | 从国际经验看药价改革趋势 | LatitudeHealth | 79
国际视野 | 英国“免费医疗”：弱势群体得保障，动力机制可借鉴 | 健康国策 | 84
""",
    4: """
分析解读 | “机构不能医、医院不能养、家庭无力护”困局破解之道—— | 光明日报 | 7
分析解读 | 开展药品耗材追溯信息采集应用 拓展医保大数据管理赋能潜力 | 国家医保局大数据中心 | 14
医疗速递 | “预住院”诊疗管理模式：医保赋能医疗资源优化与服务能力提升 | 南宁市医疗保障事业管理中心 | 30
医疗速递 | 泛血管医学新进展：从理念革新到临床实践的突破 | 上海和黄药业 | 33
医保快讯 | 经济新常态下的医保政策将如何调整？ | 村夫日记 | 38
医保快讯 | 新一轮医保基金监管拉开帷幕，这些变化值得关注 | 中国医疗保险 | 43
中医药服务 | 聚焦五个强化，让中医药更好地服务群众 | 浙江省卫生健康委 | 49
中医药服务 | 五举措谱写汕头中医药发展新篇章 | 广东省汕头市卫生健康局 | 56
医院建设 | 湖州市中心医院：奋力打造公立医院高质量发展湖州样本 | 湖州市中心医院 | 59
医院建设 | 东阳市人民医院：高水平县级医院建设的步子怎么迈 | 东阳市人民医院 | 67
""",
}

# heading lines by article, outermost first: one leading dot for each level below
HEADINGS = {
    (0, 6): """
一、区域共建共享发展格局初步形成
.三是区域公共卫生联动水平明显提高
.四是重大体制机制改革创新实现突破
二、系统集成推进制度体系融合共建
.（一）完善区域卫生健康规划体系，建立规划和重大项目衔接机制
.（二）坚持目标导向和问题导向，建立重大政策统筹协调机制
.（三）完善创新要素的流动与共享机制，建立衔接统一的制度与规则体系
""",
    (0, 1): "",
    (0, 2): """
一、北京
二、上海
三、广东
四、河南
五、浙江
""",
    (0, 3): """
广东
浙江
天津
河北
山东
黑龙江
河南
福建
甘肃
贵州
""",
    (0, 4): "",
    (0, 5): "",
    (1, 1): """
二是中医药传承创新稳步推进
三是中医药特色人才队伍不断壮大
四是中医药影响力和传播力明显提升
上海
浙江
广东
湖南
山东
江西
四川
""",
    (1, 2): """
四是加强部门数据共享
五是督导落实
""",
    (1, 3): """
（一）系统性构建新型县域医疗体系
（二）全方位提高基层综合服务水平
（三）全周期呵护人民群众生命健康
""",
    (1, 4): "",
    (1, 5): "",
    (1, 6): """
一、2024年政府工作报告中的卫生健康相关热点
二、聚焦两会代表声音：为国家卫生健康事业贡献智慧
.全国政协委员傅小云
.全国人大代表徐冠巨
.全国人大代表李雪平
.全国政协委员吴浩
""",
    (2, 1): """
DeepSeek擅长做什么?
DeepSeek能为医疗行业做什么?
医院如何用好DeepSeek?
.第一层：筑基——打造医疗数字基座
.第二层：进阶——场景智能体应用
.第三层：跃迁——构建自进化生态
总结
""",
    (2, 2): """
一、基础数据及其治理体系是否规范、完善
二、业务流程是否具备强大的过程控制能力
三、知识库体系是否“点深面广”
四、数据采集能力能否覆盖全业务流程
五、数据决策的层次、精度、深度能否支持精细化管理
六、管理岗位能力是否适应医院数智管理转型的步伐
""",
    (2, 3): """
充分认识“中医药+人工智能”的重要性
发展“中医药+人工智能”正当其时
推进“中医药+人工智能”的抓手和措施
""",
    (2, 4): """
乡镇卫生院中医科建设中存在的问题
政策落实不到位
专业中医人才不足
技术推广困难
资源整合困难
中医院扶持乡镇卫生院中医科建设的主要模式
.人才培养模式
.技术帮扶模式
.资源共享模式
中医院扶持乡镇卫生院中医科建设的策略
.完善政策支持体系
强化人才队伍建设
加强中医药诊疗技术推广与创新
优化资源整合机制
""",
    (2, 5): """
医保商保融合新模式
多地试点新模式效果如何?
""",
    (2, 6): """
为群众看病就医把好“价格关”
支持新技术应用与产业发展
规范医疗收费行为，打击腐败空间
各地政策落地速度参差，改革仍需进一步深化
""",
    (2, 7): """
明确治疗性用途 多措并举保障落地
严格监管价格问题 各地探索医保支付新标准
""",
    (2, 8): """
精准指导，让企业少走弯路
约200个重点项目纳入清单管理
""",
    (2, 9): """
数据赋能其势已成
信息化建设走深走实
基层激活“一池春水”
""",
    (2, 10): """
吹响复苏号角
放射治疗设备亮眼
""",
    (3, 1): """
北京：以首善标准扎实推进中医药发展
天津：打造中医药五大高地
河北：推进中医药定量化研究
辽宁：全力推进中医药强省建设
山西：做好中医药强省后半篇文章
吉林：贡献中医药吉林智慧和力量
内蒙古：发挥中医药(蒙医药)多元价值
黑龙江：三甲医院“包县”帮扶县级医院
上海：发挥标准作为新质生产力引擎作用
安徽：加快亳州“世界中医药之都”建设
江苏：绘就中医药高质量发展“实景图”
福建：积极推动中西医协同发展
浙江：深化“中医处方一件事”改革
江西：“五个三”推动中医药高质量发展
山东：实施齐鲁中医药名品工程
湖南：抓紧中医优势专科集群建设
河南：促进中医药产业提质升级
广东：推进“三大建设”，打造“五大高地”
湖北：探索“三位一体”融合发展模式
广西：打造壮瑶医药“四名”品牌
海南：将中医药振兴发展融入自贸港封关运作大局
贵州：坚持以高质量发展统揽全局
重庆：以改革创新赋能高质量发展
云南：聚焦中医药人才培养
四川：加快培育四川中医药品牌
西藏：六大工程推动藏医药传承创新
陕西：高效实施中医药强省三年行动
宁夏：四方面精准施策促发展
甘肃：推动中医药“三位一体”发展
新疆：加快中医药“走出去”步伐
青海：促进中(藏)医药传承创新
新疆生产建设兵团：强基固本 夯实中医药发展基础
""",
    (3, 2): """
“中医药+温泉”旅游康养模式
“中医药+养老”旅居康养模式
“中医药+田园”生态康养模式
“中医药+森林”自然康养模式
“中医药+小镇”休闲康养模式
“中医药+人文”文化康养模式
""",
    (3, 3): """
优化“两库”建设，提升智能监控专业性、精准性
以智能提醒“小切口”，助力基金生态“大净化”
持续发挥智能监控效能，守护群众“救命钱”
""",
    (3, 4): """
记分制管理将这样落地
扣分可修复，表现好可获评“医保好医师”
""",
    (3, 5): """
健全完善药品耗材追溯体系，打通追溯信息全链条
助力企业供应链精细化管理，赋能医药行业创新发展
参保人如何维护用药安全?国家医保局：牢记“留存剪扫维”购药五步法
自愿互惠、数据赋能，生产、流通企业六问国家医保局
.1.坚持互惠互利原则，企业如何查询脱敏后的数据?
.2.作为药品生产、流通企业，如何通过药品耗材追溯信息来提高企业的管理效率?
.3.针对生产企业为什么要采取自愿互惠原则?系统接口改造成本较高如何解决?
.4.医保药品耗材追溯信息采集和应用工作中，有哪些属于药品生产企业的责任?
.5.如果产品的信息发生变化，企业该如何维护药品耗材追溯信息?
.6.当前国家医保局对于药品耗材数据信息在真实世界研究中的应用是如何规划考虑的?
""",
    (3, 6): """
01 宽严并举 严厉打击非法流通
02 药店这些问题，将重点查处
.①空刷参保人员医保凭证
.②回流倒卖串药
.③非医保支付范围医药费用纳入医保结算
.④超量开药或协助冒名购药
.⑤伪造变造资料
03 做好自查 切勿被“杀鸡儆猴”
""",
    (3, 7): """
标准化分级方案
.01 电子病历系统是核心
.02 标准化建设是关键
.03 全民健康信息平台已基本建成
.04 信息互联互通，需要新基础设施
..1.“信息孤岛”严重
..2.互联不互通
..3.数据难流动
..4.灾备难规划
.05 如何搭建满足要求的运营系统
..1.强化整体规划
..2.推动前瞻探索
..3.重视医疗信息集成平台的选择
.06 总结思考
""",
    (3, 8): """
落实国家医保局部署 「后付制」变为「即时结算」
即时结算+直接结算 回款账期加快缩短
""",
    (3, 9): "",
    (3, 10): """
一、引言
二、国民医疗服务制度的建立和动因
.01 制度理念的确立和动因
.02 制度的建立和政治动因
.03 国民医疗服务制度的基本原则和影响
三、国民医疗服务制度的改革和动因
.01 1979—2009年：管理体制改革
.02 2010至今：医疗资源整合
四、国民医疗服务制度运行现状
.01 筹资机制
.02 服务递送
.03 服务监管
五、对我国医疗服务制度发展的启示
.01 坚持横向公平的制度理念
.02 重点保障弱势群体的健康权益
.03 推进社区医疗服务改革
.04 创新与我国国情相适应的制度理念
""",
    (4, 1): """
有效提升生活质量 显著减轻家庭负担
试点地区制度差异化问题亟待破解
加快建立长期护理保险制度的一些原则
""",
    (4, 2): """
我国药品耗材追溯体系发展历程
.药品追溯体系发展历程
.医疗器械追溯体系发展历程
开展医保药品耗材追溯码信息采集工作的重要意义
医保药品耗材追溯信息采集及应用工作进展
.山东
.贵州
.厦门市
.沈阳市
.福建
下一步工作安排
医保药品耗材追溯信息应用框架展望
.“1”：搭建一个平台
.“2”：实现两级部署
.“3”：开展三项工作
.“4”：传输四种信息
.“5”：服务五类主体
.“X”：赋能未来其他广阔场景
""",
    (4, 3): """
系统优化，构建诊疗管理新模式
机制革新，搭建“预住院”服务新框架
试点先行，助力医疗服务水平提升
试点复制，开拓“医医协作”发展新方向
""",
    (4, 4): """
泛血管医学的内涵及重要研究意义
《泛血管医学——诊治进展与管理规范》发布，切实提升我国泛血管疾病诊疗能力
麝香保心丸：防治泛血管疾病，保护靶器官
结语
""",
    (4, 5): "",
    (4, 6): """
新一轮医保基金监管大幕即将拉开
大数据筑起医保基金监管“防护墙”
2025年医保基金监管迈入新阶段
“驾照式记分”精准监管到人
全面推进药品追溯码应用
双通道定点药店不再接受纸质处方
""",
    (4, 7): """
强化保障机制 提升中医医院发展环境
强化资源分配 缩小中医药发展地区差异
强化数字赋能 让中医药服务高效便捷
强化科技创新 完善中医药成果转化机制
强化文化自信 助力中医药“扬帆起航”
""",
    (4, 8): "",
    (4, 9): """
改革释能 激活赶超发展新引擎
数字赋能 构建智慧医疗新生态
整合聚能 建设健康服务新体系
学科提能 攀登医学科技新高地
党建强能 涵养最美医院新文化
""",
    (4, 10): """
党建领航 激活医院发展内驱力
技术突围 打造县域医疗新高地
管理革命 效能跃升解发展难题
硬件迭代 保障优质医疗服务
区域协同 县域医疗共同体的东阳解法
未来图景 从县级强到县域强
""",
}

OFFICIALS = re.findall(
    r"\S+",
    """
罗增刚 王栩冬 张凯 张宏邈 魏来 林天慕 刘勇 徐峰 闻大翔 王卉晓 朱岷 杨闽红 王仁元 刘晓辉 马立新 肖文明
周勇 柯忠 邓小川 黎甲文 李文秀 张敬杰 赵勇 周洪梅 田兴军 格桑玉珍 孔群 吕金捍 刘伯荣 曾斌芳 端智 谢昕
""",
)

# sentences that a wrap, a page break or a page mark cuts in the files
BROKEN = [
    (0, 2, "强化社区卫生服务中心全科诊疗、健康管理等功能。"),
    (0, 2, "新增100所达到二级医院服务能力的县域医疗卫生次中心。"),
    (0, 3, "浙江紧扣高质量发展要求，大力提升基层专科服务水平。"),
    (0, 3, "做优基层服务体系，做深资源下沉机制，做细基本公共服务，做实保障支持政策。"),
    (0, 4, "目前“按月预拨”基金支出约占全市基金总额的90%。"),
    (0, 5, "期间不收取床位费、诊疗费等费用，相关费用纳入医保结算。"),
    (0, 6, "制定重大战略区域临床重点专科发展规划，协同打造国家或国际领先的优势学科群。"),
    (1, 1, "以“中医处方一件事”改革为切入口，制定处方、饮片、病例数字化标准体系，建立中医药诊疗大数据库。"),
    (1, 3, "在全国率先为紧密型县域医疗卫生共同体建设立法，制定《山西省保障和促进县域医疗卫生一体化办法》。"),
    (1, 5, "适当增加与临床医学硕士专业学位教育相衔接的全科生源名额，"),
    (1, 6, "四是加快智慧赋能基层医务人员。"),
    (2, 1, "循证医学决策树构建;医生科研助理，"),
    (2, 1, "实现“有时治愈，常常帮助，总是安慰”的医疗本质回归。"),
    (2, 5, "已一站式结算3018.4万笔、14.32亿元，惠及553.99万参保人。"),
    (2, 5, "有12家三甲医院和2家商业健康险公司参与，接入两款商业保险产品。"),
    (2, 7, "其次是0.5元/g以下，1元/g-2元/g等。"),
    (2, 7, "对患者费用显著增加的医疗机构采取监管措施，确保医保基金的合理使用;"),
    (2, 8, "5年生存率仅为30%-50%。2月8日，北京神州细胞工程有限公司(下称：神州细胞)的菲诺利单抗注射液获批上市，"),
    (2, 9, "北京市统一预约挂号平台累计服务量达2.5亿人次，"),
    (3, 1, "全省中医药全产业链产值首次超过1500亿元。"),
    (3, 1, "进一步强化中医药服务体系内涵和能力建设、强化人才队伍建设、深化中医药科技创新、促进中药产业提质增效。"),
    (3, 1, "加强西学中、藏学西人才队伍建设。"),
    (3, 3, "全区累计提醒和预警207.28万人次，提醒和预警支出金额2.33亿元。"),
    (3, 8, "目前海南省医保事前提醒规则已扩充到17大类440小类242419条，"),
    (3, 8, "以内蒙古为例，2024年1-6月共为164家集采中选药品配送企业直接结算货款43亿元，"),
    (3, 9, "早在1989年就推出了参考定价法案(Fixed Reference Price，FRP)，"),
    (3, 9, "德国明确了医保支付价。2011年德国颁布了Arzneimittelmarkt-Neuordnungsgesetz (AMNOG)法案，"),
    (3, 9, "(National Association of Statutory Health Insurance Physicians,KBV)共同商定的，"),
    (3, 10, "为确保医保基金收支平衡，管理部门会限制医保的报销水平，"),
    (3, 10, "这种观点忽视了个人自费的金额和豁免条件——"),
    (4, 2, "《药品追溯码编码要求》(NMPAB/T 1002—2019)，并于当天起实施。"),
    (4, 6, "不合理的高住院率、空白的医疗影像资料、男女检查项目混用……去年，"),
    (4, 6, "临床检验6个领域的基础上，新增了肿瘤、麻醉、重症医学3个领域。"),
    (4, 7, "中医住院每日15元/床标准进行补助，并于2021年对此标准进行大幅提升，同时扩大补助范围。"),
    (4, 8, "汕头市在省中医药局的支持和指导下，以新场景、新服务、新强链、新传媒为创新点，"),
    (4, 9, "推出“云护理”系统，为患者提供更贴心的护理服务;"),
    (4, 10, "平均耗材费用分别低于全省同类医院55.5%、44.2%，"),
]

# file, article, words on the page, page: from page marks and page breaks counted in the files
PAGES = [
    (0, 2, "今年1月，地方两会", 4),
    (0, 2, "生服务中心全科诊疗", 5),
    (0, 2, "五、浙江。", 6),
    (1, 6, "拟向大会提出一份", 12),
    (2, 1, "(5)实时服务", 7),
    (2, 2, "未来已来，势不可挡", 17),
    (2, 7, "施，确保医保基金的合理使用", 44),
    (3, 1, "展望2025年，上海将继续秉持", 18),
    (3, 1, "晓辉", 23),
    (3, 10, "理部门会限制医保的报销水平", 116),
    (3, 10, "提升人民的国家认同和民族自豪感", 117),
    (4, 6, "新增了肿瘤、麻醉", 45),
    (4, 8, "导下，以新场景", 58),
    (4, 9, "“云护理”系统", 62),
]


@cache
def seed(number: int) -> ParsedIssue:
    return parse(FILES[number], (text_of(number),))


def text_of(number: int) -> str:
    return (SEEDS / FILES[number]).read_text(encoding="utf-8")


def article(number: int, ordinal: int) -> Article:
    return seed(number).articles[ordinal - 1]


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("number", FILES)
def test_every_article_has_its_column_title_source_and_page(number: int) -> None:
    expected = [
        tuple(field.strip() or None for field in line.split("|")) for line in ARTICLES[number].strip().splitlines()
    ]
    found = [(a.column, a.title, a.source, str(a.page)) for a in seed(number).articles]
    assert found == expected


def test_the_five_files_hold_42_articles_as_their_tables_of_contents_say() -> None:
    assert [len(seed(number).articles) for number in FILES] == [6, 6, 10, 10, 10]
    assert [seed(number).expected for number in FILES] == [6, 6, 10, 10, 10]
    assert len({a.id for number in FILES for a in seed(number).articles}) == 42
    assert article(3, 8).id == "003_2c772682ae5b0987.txt#8"


def test_the_masthead_gives_number_date_and_publisher() -> None:
    first, second = seed(0).issue, seed(1).issue
    assert (first.name, first.number, first.total) == ("卫生健康信息动态", 4, 341)
    assert (first.date, second.date) == (date(2025, 2, 11), date(2024, 3, 5))
    assert first.publisher == "广西卫生健康事业发展策略智库、广西壮族自治区医学科学信息研究所"
    assert (second.number, second.total) == (9, 296)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_what_the_viewpoint_does_not_print_is_none(number: int) -> None:
    issue = seed(number).issue
    assert (issue.name, issue.number, issue.total, issue.date, issue.publisher) == (
        "本期视点",
        None,
        None,
        None,
        None,
    )


def test_only_the_garbled_title_is_odd() -> None:
    assert [seed(number).oddities for number in (0, 1, 2, 3)] == [(), (), (), ()]
    (oddity,) = seed(4).oddities
    assert "观机构不能医" in oddity
    assert "按目录更正" in oddity


def body_of(number: int) -> str:
    """The printed body without white space, page marks, bold marks and 返回目录."""
    text = text_of(number)
    if number < 2:
        text = text[text.rindex("【资讯前沿】") :].replace("**", "")
    else:
        text = text[text.index("----本期内容----") + len("----本期内容----") :]
        text = re.sub(r"(?m)^\d+ / \d+$", "", text).replace("返回目录", "")
    return bare(text)


@pytest.mark.parametrize("number", FILES)
def test_no_body_character_is_lost_doubled_or_moved(number: int) -> None:
    pieces, column = [], None
    for found in seed(number).articles:
        if found.column != column:
            column = found.column
            pieces.append(f"【{column}】" if number < 2 else f"·{column}·")
        pieces.append(found.title.replace("“机构不能医", "观机构不能医"))
        if number < 2:
            pieces.append(found.text + (f"（{found.source}）" if found.source else ""))
        else:
            pieces.append(f"来源：{found.source}{found.text}")
    assert bare("".join(pieces)) == body_of(number)


@pytest.mark.parametrize("number", FILES)
def test_front_matter_and_marks_are_no_article_text(number: int) -> None:
    text = "\n".join(a.text for a in seed(number).articles)
    for mark in ("【提要】", "▶", "要 点", "目 录", "返回目录", "来源：", "本期内容", "**", "....."):
        assert mark not in text
    assert not re.search(r"\d+ / \d+", text)


@pytest.mark.parametrize(("number", "ordinal", "sentence"), BROKEN)
def test_a_broken_sentence_is_whole_again(number: int, ordinal: int, sentence: str) -> None:
    assert sentence not in re.sub(r"[^\S\n]", "", text_of(number))
    assert sentence in article(number, ordinal).text


@pytest.mark.parametrize(("number", "ordinal"), HEADINGS)
def test_sections_are_found_with_their_levels(number: int, ordinal: int) -> None:
    expected = HEADINGS[number, ordinal].strip().splitlines()
    found = [f"{'.' * (s.level - 1)}{s.heading}" for s in article(number, ordinal).sections]
    assert found == expected


def test_every_article_has_its_headings_listed_here() -> None:
    assert len(HEADINGS) == 42


def test_the_round_up_has_32_provinces_each_with_its_official() -> None:
    roundup = article(3, 1)
    assert len(roundup.sections) == len(OFFICIALS) == 32
    for section, official in zip(roundup.sections, OFFICIALS, strict=True):
        heading, byline, first, *_ = roundup.text[section.start : section.end].split("\n")
        assert heading == section.heading
        assert byline.endswith(official)
        assert len(first) > 30
    assert roundup.section_path(roundup.text.index("全省中药种植面积达485万亩")) == (
        "湖南：抓紧中医优势专科集群建设",
    )


@pytest.mark.parametrize("number", FILES)
def test_sections_start_at_their_heading_and_lie_inside_each_other(number: int) -> None:
    for found in seed(number).articles:
        for section in found.sections:
            assert 0 <= section.start < section.end <= len(found.text)
            assert found.text.startswith(section.heading, section.start)
            assert len(section.heading) <= 45
        for one in found.sections:
            for other in found.sections:
                assert (
                    one.end <= other.start or other.end <= one.start or (one.level != other.level) or (one == other)
                )


@pytest.mark.parametrize("number", FILES)
def test_no_paragraph_ends_in_the_middle_of_a_sentence(number: int) -> None:
    for ordinal, found in enumerate(seed(number).articles, 1):
        headings = {line.lstrip(".") for line in HEADINGS[number, ordinal].splitlines()}
        for paragraph in found.text.split("\n"):
            if paragraph in headings or paragraph == "二是不断满足人民群众日益增长的医疗需求，":
                continue
            if (number, ordinal) == (3, 1) and paragraph.endswith(tuple(OFFICIALS)):
                continue
            assert re.search(r"(?:[。！？!?；;：…]|——)[”’）)]?$", paragraph), paragraph


@pytest.mark.parametrize("number", FILES)
def test_no_paragraph_starts_in_the_middle_of_a_word_or_number(number: int) -> None:
    for found in seed(number).articles:
        for before, after in zip(found.text.split("\n"), found.text.split("\n")[1:], strict=False):
            assert not re.match(r"[，。、；：！？”’）)%]", after), (before, after)


@pytest.mark.parametrize(("number", "ordinal", "words", "page"), PAGES)
def test_words_stand_on_their_printed_page(number: int, ordinal: int, words: str, page: int) -> None:
    found = article(number, ordinal)
    assert found.page_at(found.text.index(words)) == page


@pytest.mark.parametrize("number", FILES)
def test_pages_rise_and_stay_before_the_next_article(number: int) -> None:
    articles = seed(number).articles
    for found, following in zip(articles, [*articles[1:], None], strict=True):
        pages = [found.page or 0, *(b.page for b in found.page_breaks)]
        assert pages == list(range(pages[0], pages[0] + len(pages)))
        assert following is None or pages[-1] <= (following.page or 0)
        offsets = [b.offset for b in found.page_breaks]
        assert offsets == sorted(set(offsets))
        assert all(0 < offset < len(found.text) for offset in offsets)


def test_a_missing_article_is_named() -> None:
    text = text_of(0).replace("江西发布 2025 年“三医”协同十大便民惠民举措\n\n近日", "近日")
    parsed = parse("a.txt", (text,))
    assert parsed.expected == 6
    assert len(parsed.articles) == 5
    assert parsed.oddities == ("目录中的《江西发布2025年“三医”协同十大便民惠民举措》在正文中没有找到",)


def test_an_article_is_found_without_the_way_back_to_the_contents() -> None:
    parsed = parse(FILES[2], (text_of(2).replace("返回目录", ""),))
    assert parsed.oddities == ()
    assert parsed.articles == seed(2).articles


def test_a_page_that_disagrees_with_the_table_of_contents_is_named() -> None:
    text = text_of(2).replace("来源：腾讯云计算）——第 1\n\n0页", "来源：腾讯云计算）——第 12页")
    parsed = parse("a.txt", (text,))
    assert parsed.articles[1].page == 12
    assert parsed.oddities == ("《医院信息系统成熟度评估“六问”》目录页码为第12页，按分页推算为第10页，以目录为准",)


def test_pages_of_a_paged_document_are_its_page_breaks() -> None:
    cut = "生服务中心全科诊疗"
    text = text_of(0)
    pages = text.replace("强化社区卫\n\n", "强化社区卫\f").split("\f")
    assert pages[1].startswith(cut)
    found = parse("a.pdf", pages).articles[1]
    assert [(b.page, found.text[b.offset :][:9]) for b in found.page_breaks] == [(5, cut)]


def test_a_layout_that_fails_gives_way_to_the_general_one() -> None:
    def fail(file: str, pages: object) -> ParsedIssue:
        raise ValueError(file)

    parsed = parse("a.txt", ("标题\n\n第一段。\n",), [Layout("坏版式", bool, fail)])
    assert parsed.articles
    assert any("坏版式" in oddity for oddity in parsed.oddities)


@pytest.mark.parametrize("text", ["", "\n\n", "目录\n", "----本期内容----\n▶", "▶\n----本期内容----\n", "【】"])
def test_no_document_raises(text: str) -> None:
    assert parse("a.txt", (text,)).issue.file == "a.txt"
